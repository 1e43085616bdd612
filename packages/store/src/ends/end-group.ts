import { monotonicMs, within } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { pairs } from '../script/reply.js';
import { Losses } from './end-losses.js';
import {
  BATCH,
  batchOf,
  connectReader,
  type EndBatch,
  type EndReader,
  type EndReaderOptions,
  entriesOf,
  factsOf,
  type RawEntry,
  runTransaction,
  waitBehind,
} from './end-reader.js';

export type GroupOptions = EndReaderOptions & {
  readonly group: string;
  readonly consumer: string;
  /** Its name will not be used again: `close` removes it from the group if nothing of it is unacknowledged. */
  readonly isPassing: boolean;
  /** Entries that another consumer has not acknowledged for this long are claimed. */
  readonly claimAfterMs: number;
};

const CLAIM_EVERY_MS = 10_000;
const LEAVE_MS = 500;

/** A consumer of a group: entries that were read and not acknowledged come again, to it or to another one. */
export async function openGroupReader(options: GroupOptions): Promise<EndReader> {
  const reader = new GroupReader(await connectReader(options), options);
  try {
    await reader.prepare();
  } catch (error) {
    await reader.close();
    throw error;
  }
  return reader;
}

class GroupReader implements EndReader {
  readonly #losses = new Losses();
  /** Id after which it reads its own unacknowledged entries; undefined: it has read them all. */
  #ownAfter: string | undefined = '0-0';
  #claimFrom = '0-0';
  #claimAtMs = 0;
  #lastId = '0-0';
  /** The group was made by this reader: what was trimmed before is not counted as lost. */
  #isNew = false;

  constructor(
    readonly client: Redis,
    readonly options: GroupOptions,
  ) {}

  /** Makes the group if it is missing; a new group reads from the oldest entry on. */
  async prepare(): Promise<void> {
    const { stream, group } = this.options;
    try {
      await this.client.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
      this.#isNew = true;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }

  async read(): Promise<EndBatch> {
    try {
      return (await this.#readOwn()) ?? (await this.#claim()) ?? (await this.#readNew());
    } catch (error) {
      // Entries that a lost reply delivered are pending for this consumer: it reads them again.
      this.#ownAfter = '0-0';
      const isGone = error instanceof Error && error.message.startsWith('NOGROUP');
      if (!isGone) throw error;
      await this.prepare();
      return { ends: [], ids: [], lost: 0 };
    }
  }

  async #readOwn(): Promise<EndBatch | undefined> {
    if (this.#ownAfter === undefined) return undefined;
    const { stream, group, consumer } = this.options;
    const from = ['COUNT', BATCH, 'STREAMS', stream, this.#ownAfter] as const;
    const found = await this.client.xreadgroup('GROUP', group, consumer, ...from);
    const entries = entriesIn(found);
    this.#ownAfter = entries.at(-1)?.[0];
    if (this.#ownAfter === undefined) return undefined;
    return { ...batchOf(entries), lost: entries.filter(isGone).length };
  }

  async #claim(): Promise<EndBatch | undefined> {
    if (monotonicMs() < this.#claimAtMs) return undefined;
    const { stream, group, consumer, claimAfterMs } = this.options;
    const range = [claimAfterMs, this.#claimFrom, 'COUNT', BATCH] as const;
    const reply = await this.client.xautoclaim(stream, group, consumer, ...range);
    // The third: ids of trimmed entries, which Redis 7 has taken off the pending ones; older ones do not send it.
    const [next, found, gone] = reply as [string, unknown, unknown];
    this.#claimFrom = next;
    if (next === '0-0') this.#claimAtMs = monotonicMs() + Math.min(CLAIM_EVERY_MS, claimAfterMs);
    const entries = entriesOf(found);
    const lost = Array.isArray(gone) ? gone.length : 0;
    if (entries.length === 0 && lost === 0) return next === '0-0' ? undefined : this.#claim();
    return { ...batchOf(entries), lost };
  }

  async #readNew(): Promise<EndBatch> {
    const { stream, group, consumer } = this.options;
    const from = ['COUNT', BATCH, 'STREAMS', stream, '>'] as const;
    const [info, groups, found] = await runTransaction(this.client, (step) =>
      step
        .xinfo('STREAM', stream)
        .xinfo('GROUPS', stream)
        .xreadgroup('GROUP', group, consumer, ...from),
    );
    if (found instanceof Error) throw found;
    const entries = entriesIn(found);
    const facts = factsOf(info);
    this.#lastId = facts.lastId || this.#lastId;
    const skipped = this.#losses.ofGroup(facts, groupIn(groups, group));
    if (entries.length === 0) return { ends: [], ids: [], lost: 0 };
    const lost = this.#isNew ? 0 : skipped;
    this.#isNew = false;
    this.#losses.countedOfGroup(lost);
    return { ...batchOf(entries), lost };
  }

  async acknowledge(ids: readonly string[]): Promise<void> {
    const { stream, group } = this.options;
    if (ids.length > 0) await this.client.xack(stream, group, ...ids);
  }

  wait(): Promise<void> {
    return waitBehind(this.client, this.options.stream, this.#lastId);
  }

  async acknowledged(count: number): Promise<string[]> {
    const { stream, group } = this.options;
    const groups = await this.client.xinfo('GROUPS', stream);
    const { deliveredId } = groupIn(groups, group);
    const recent = await this.client.xrevrange(stream, deliveredId, '-', 'COUNT', count);
    const waiting = await this.client.xpending(stream, group, '-', '+', count);
    const pending = new Set(Array.isArray(waiting) ? waiting.map((it) => Object(it)[0]) : []);
    return batchOf(entriesOf(recent))
      .ends.filter(({ entryId }) => !pending.has(entryId))
      .map(({ eventId }) => eventId);
  }

  async close(): Promise<void> {
    if (this.options.isPassing)
      await within(
        this.#leave().catch(() => {}),
        LEAVE_MS,
      );
    this.client.disconnect();
  }

  async #leave(): Promise<void> {
    const { stream, group, consumer } = this.options;
    const left = await this.client.xpending(stream, group, '-', '+', 1, consumer);
    if (left.length === 0) await this.client.xgroup('DELCONSUMER', stream, group, consumer);
  }
}

const isGone = ([, flat]: RawEntry) => flat.length === 0;

/** Of XREADGROUP: entries of the one stream that was asked for. */
function entriesIn(reply: unknown): RawEntry[] {
  const [first] = Array.isArray(reply) ? reply : [];
  return entriesOf(Array.isArray(first) ? first[1] : []);
}

function groupIn(reply: unknown, name: string): { deliveredId: string; read: number } {
  const groups = Array.isArray(reply) ? reply.filter(Array.isArray).map(pairs) : [];
  const group = groups.find((it) => it.name === name) ?? {};
  const read = group['entries-read'];
  return {
    deliveredId: group['last-delivered-id'] ?? '0-0',
    // Null, as text: Redis does not know.
    read: read === undefined || !/^\d+$/.test(read) ? Number.NaN : Number(read),
  };
}
