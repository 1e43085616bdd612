import { monotonicMs } from '@sluice/runtime';
import { Redis } from 'ioredis';
import { connectionOptions, type RedisAddress } from '../redis/address.js';
import { addressOfKey } from '../redis/cluster/members.js';
import { explained } from '../redis/greeting.js';
import { pairs, type Value } from '../script/reply.js';
import { Losses, type StreamFacts } from './end-losses.js';

/** An entry of the stream; `record` is its `payload`. */
export type ReadEnd = {
  readonly entryId: string;
  readonly eventId: string;
  readonly record: string;
};

export type EndBatch = {
  readonly ends: readonly ReadEnd[];
  /** Ids to acknowledge, also those of entries that are not ours or are gone. */
  readonly ids: readonly string[];
  /** Entries that were trimmed before they were read. */
  readonly lost: number;
};

export type EndReader = {
  /** The next entries, oldest first; empty: there are none now. Rejects while Redis is away. */
  read(): Promise<EndBatch>;
  acknowledge(ids: readonly string[]): Promise<void>;
  /** Resolves when there may be entries, after 2 s at the latest. Rejects while Redis is away. */
  wait(): Promise<void>;
  /** Event ids of the newest acknowledged entries, by which their copies are recognised. */
  acknowledged(count: number): Promise<string[]>;
  close(): Promise<void>;
};

export type EndReaderOptions = { readonly address: RedisAddress; readonly stream: string };

export const BATCH = 100;
const BLOCK_MS = 2_000;
/** Longer than a blocking read: a stopped Redis must turn into an error, not into silence. */
const COMMAND_TIMEOUT_MS = 2 * BLOCK_MS;
const START_WAIT_MS = 5_000;

/** A connection for one reader, ready; rejects with the reason when Redis does not answer within 5 s. */
export async function connectReader({ address, stream }: EndReaderOptions): Promise<Redis> {
  const client = new Redis({
    ...connectionOptions(await addressOfKey(address, stream)),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
  });
  let reason: Error | undefined;
  client.on('error', (error) => {
    reason = error;
  });
  const until = monotonicMs() + START_WAIT_MS;
  while (client.status !== 'ready') {
    if (monotonicMs() > until) {
      client.disconnect();
      throw reason ? await explained(client.options, reason) : new Error('no answer');
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return client;
}

/** Reads the entries after `after` without a group: nothing is kept in Redis, nothing acknowledged. */
export async function openEndReader(
  { address, stream }: EndReaderOptions,
  after: string,
): Promise<EndReader> {
  const client = await connectReader({ address, stream });
  const losses = new Losses();
  let last = after;
  return {
    async read() {
      const [info, found] = await runTransaction(client, (step) =>
        step.xinfo('STREAM', stream).xrange(stream, `(${last}`, '+', 'COUNT', BATCH),
      );
      const entries = entriesOf(found);
      // A stream that nobody has written to yet does not exist.
      const lost = info instanceof Error ? 0 : losses.ofReader(factsOf(info), sizesOf(entries));
      last = entries.at(-1)?.[0] ?? last;
      return { ...batchOf(entries), ids: [], lost };
    },
    acknowledge: async () => {},
    wait: () => waitBehind(client, stream, last),
    acknowledged: async () => [],
    close: async () => client.disconnect(),
  };
}

const sizesOf = (entries: readonly unknown[]) => ({ count: entries.length, asked: BATCH });

/** Resolves when the stream has an entry after `id`, after 2 s at the latest. */
export async function waitBehind(client: Redis, stream: string, id: string): Promise<void> {
  await client.xread('COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', stream, id);
}

type Step = ReturnType<Redis['multi']>;

/** Replies of a transaction; a command that was refused has its error there. */
export async function runTransaction(client: Redis, queue: (step: Step) => Step): Promise<Value[]> {
  const replies = await queue(client.multi()).exec();
  if (!replies) throw new Error('the transaction was dropped');
  return replies.map(([error, value]) => (error ?? value) as Value);
}

export type RawEntry = readonly [id: string, flat: readonly Value[]];

/** The entries of a reply of XRANGE; those that are gone have no fields. */
export function entriesOf(reply: unknown): RawEntry[] {
  if (!Array.isArray(reply)) return [];
  return reply
    .filter(Array.isArray)
    .map(([id, flat]) => [String(id), Array.isArray(flat) ? flat : []] as const);
}

/** Entries that are not a SESSION_END, or are gone, are not in `ends`; they are acknowledged all the same. */
export function batchOf(entries: readonly RawEntry[]): Pick<EndBatch, 'ends' | 'ids'> {
  const ends = entries.flatMap(([entryId, flat]) => {
    const { payload, event_id: eventId } = pairs(flat);
    return payload && eventId ? [{ entryId, eventId, record: payload }] : [];
  });
  return { ends, ids: entries.map(([id]) => id) };
}

/** Facts from a reply of XINFO STREAM. */
export function factsOf(reply: unknown): StreamFacts {
  const info = pairs(Array.isArray(reply) ? reply : []);
  return {
    added: Number(info['entries-added'] ?? Number.NaN),
    length: Number(info.length),
    lastId: info['last-generated-id'] ?? '',
  };
}
