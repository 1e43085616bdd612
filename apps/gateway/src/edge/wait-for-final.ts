import type { FinalFrame, Logged } from '@sluice/protocol';
import type { SessionRef } from '@sluice/store';
import type { EdgeContext } from './context.js';
import { LogReader } from './log-reader.js';

export type FinalWait = {
  /** The final of `messageId`, or undefined when the time is over or the session is gone. */
  result(messageId: string, ms: number): Promise<(FinalFrame & Logged) | undefined>;
  stop(): void;
};

/** Reads a session from now on, to find the outcome of a message that is about to be sent. */
export async function waitForFinals(
  context: EdgeContext,
  ref: SessionRef,
  agentId: string,
): Promise<FinalWait> {
  const finals = new Map<string, FinalFrame & Logged>();
  let wake = () => {};
  let over = false;
  const now = await context.sessions.log(ref, { after: Number.MAX_SAFE_INTEGER - 1, count: 1 });
  const reader = new LogReader(ref, context, {
    from: now?.head ?? 0,
    epoch: now?.epoch ?? '',
    take: ({ frame }) => {
      if (frame.type !== 'response' || frame.status !== 'final') return;
      finals.set(frame.message_id, frame);
      wake();
    },
    resynced: () => {},
    gone: () => {
      over = true;
      wake();
    },
    writable: async () => {},
  });
  await reader.start({ sessionId: ref.sessionId, agentId });
  return {
    async result(messageId, ms) {
      const deadlineMs = performance.now() + ms;
      while (!finals.has(messageId) && !over) {
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
      return finals.get(messageId);
    },
    stop() {
      over = true;
      wake();
      reader.stop();
    },
  };
}
