import type { FinalFrame, Logged } from '@sluice/protocol';
import type { LogEvent, SessionRef } from '@sluice/store';
import { finalOf } from '../delivery/frames.js';
import { LogReader } from '../delivery/log-reader.js';
import type { EdgeContext, EdgeLimits } from '../session/context.js';

export type FinalWait = {
  /** The final of that message; undefined: the time is over, or the session is gone or cannot be read. */
  result(ms: number): Promise<(FinalFrame & Logged) | undefined>;
  stop(): void;
};

/** Begins to read a session, for the outcome of one message that is about to be sent. Throws StoreUnavailable. */
export async function waitForFinal(
  context: Pick<EdgeContext, 'sessions' | 'reads' | 'fanOut'> & {
    readonly limits: Pick<EdgeLimits, 'maxPayloadBytes'>;
  },
  ref: SessionRef,
  { messageId, agentId }: { messageId: string; agentId: string },
): Promise<FinalWait> {
  let final: (LogEvent & { kind: 'final' }) | undefined;
  let wake = () => {};
  let over = false;
  const end = () => {
    over = true;
    wake();
  };
  const now = await context.sessions.place(ref);
  const reader = new LogReader(ref, context, {
    from: now?.head ?? 0,
    epoch: now?.epoch ?? '',
    maxBytes: context.limits.maxPayloadBytes,
    take: ({ event }) => {
      if (event.kind !== 'final' || event.messageId !== messageId) return;
      final = event;
      wake();
    },
    resynced: () => {},
    gone: end,
    broken: end,
    writable: async () => {},
  });
  await reader.start({ sessionId: ref.sessionId, agentId });
  return {
    async result(ms) {
      const deadlineMs = performance.now() + ms;
      while (!final && !over) {
        const leftMs = deadlineMs - performance.now();
        if (leftMs <= 0) break;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return final && finalOf(final, ref.sessionId);
    },
    stop() {
      end();
      reader.stop();
    },
  };
}
