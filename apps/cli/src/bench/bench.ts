import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { exitStatus, monotonicMs, parseDurationMs, StartError, sleep } from '@sluice/runtime';
import type { Gateway } from '../api/gateway.js';
import { socketUrl } from '../chat/link.js';
import { defaultAgent } from '../chat/lookup.js';
import { writeLines } from '../output/write.js';
import { linesOf, type Result, resultOf } from './result.js';
import { Sender } from './sender.js';
import { Tally } from './tally.js';

export type BenchOptions = {
  readonly connections: number;
  readonly messages?: number;
  readonly duration?: string;
  readonly rate?: number;
  readonly size: number;
  readonly agent?: string;
  readonly stream?: boolean;
  readonly wait: string;
  readonly json?: boolean;
};

const MESSAGES_DEFAULT = 100;
/** Pause after a refusal. */
const REFUSED_PAUSE_MS = 100;

/** Loads a gateway and judges the replies; returns 0 when nothing was lost, doubled or reordered. */
export async function bench(gateway: Gateway, options: BenchOptions): Promise<number> {
  const durationMs =
    options.duration === undefined ? undefined : toMs('--duration', options.duration);
  const waitMs = toMs('--wait', options.wait);
  // Fails if the gateway is not there; connections would try again for ever.
  const first = await defaultAgent(gateway);
  const tally = new Tally();
  const senders = makeSenders(gateway, { ...options, agent: options.agent ?? first, tally });
  await Promise.all(senders.map((sender) => sender.open()));
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one for each connection
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const end = durationMs === undefined ? undefined : setTimeout(interrupt, durationMs);
  const startedMs = monotonicMs();
  const most = options.messages ?? (durationMs === undefined ? MESSAGES_DEFAULT : Infinity);
  await Promise.all(
    senders.map((sender, at) =>
      options.rate === undefined
        ? sendInTurn(sender, { most, signal: stop.signal })
        : sendOnTime(sender, {
            most,
            signal: stop.signal,
            everyMs: (1_000 * senders.length) / options.rate,
            firstMs: startedMs + (1_000 * at) / options.rate,
          }),
    ),
  );
  clearTimeout(end);
  await settle(senders, waitMs);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  for (const sender of senders) sender.close();
  const result = resultOf(tally, senders, { startedMs, isOpen: options.rate !== undefined });
  await writeLines(options.json ? [JSON.stringify(result, null, 2)] : linesOf(result));
  return isClean(result) ? exitStatus.ok : exitStatus.refused;
}

function isClean({ lost, doubled, reordered, unanswered, finished }: Result): boolean {
  return lost + doubled + reordered + unanswered === 0 && finished > 0;
}

function makeSenders(
  { url, token }: Gateway,
  { connections, size, stream, agent, tally }: BenchOptions & { agent: string; tally: Tally },
): Sender[] {
  const run = randomBytes(4).toString('hex');
  return Array.from({ length: connections }, (_, at) => {
    const sessionId = `bench-${run}-${at}`;
    const content = 'x'.repeat(size);
    const base = { url: socketUrl(url), token, agentId: agent, sessionId, content };
    return new Sender({ ...base, streaming: stream === true, tally });
  });
}

/** Closed loop: the next message is sent when the last has its outcome. */
async function sendInTurn(
  sender: Sender,
  { most, signal }: { most: number; signal: AbortSignal },
): Promise<void> {
  for (let sent = 0; sent < most && !signal.aborted; sent++) {
    const { refused } = sender.outstanding;
    sender.send(monotonicMs());
    await sender.settled(1, signal);
    if (sender.outstanding.refused > refused) await sleep(REFUSED_PAUSE_MS, signal);
  }
}

type Schedule = { most: number; everyMs: number; firstMs: number; signal: AbortSignal };

/** Open loop: each message is sent at its time, however long the replies take. */
async function sendOnTime(
  sender: Sender,
  { most, everyMs, firstMs, signal }: Schedule,
): Promise<void> {
  for (let sent = 0; sent < most && !signal.aborted; sent++) {
    const dueMs = firstMs + sent * everyMs;
    const early = dueMs - monotonicMs();
    if (early > 0) await sleep(early, signal);
    if (!signal.aborted) sender.send(dueMs);
  }
}

async function settle(senders: readonly Sender[], waitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(waitMs);
  setMaxListeners(0, signal);
  await Promise.all(senders.map((sender) => sender.settled(1, signal)));
}

function toMs(option: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  const message = `${option} ${text}: give a duration, such as 500ms, 30s or 5m`;
  throw new StartError(message, exitStatus.usage);
}
