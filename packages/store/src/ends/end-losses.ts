/** What Redis says of the stream at the moment of a read (XINFO STREAM, XINFO GROUPS). */
export type StreamFacts = {
  /** Entries ever added; NaN before Redis 7, which does not count them. */
  readonly added: number;
  readonly length: number;
  readonly lastId: string;
};

/**
 * Counts the entries that were trimmed before they were read, by their ordinals: of `added` entries the
 * oldest `added - length` are gone. Ids cannot tell: they have gaps.
 *
 * Redis 7.0 and 7.2 do not count skipped entries in a group's `entries-read`, which is too low by them
 * from then on. The difference shows whenever the group has read everything, and is added.
 */
export class Losses {
  #correction = 0;
  #readCount: number | undefined;

  /** Entries that a group skips with its next read. `read` is its `entries-read`; NaN: Redis does not know. */
  ofGroup(
    facts: StreamFacts,
    { deliveredId, read }: { deliveredId: string; read: number },
  ): number {
    const isFresh = deliveredId === '0-0' && Number.isNaN(read);
    if (deliveredId === facts.lastId && !Number.isNaN(read)) this.#correction = facts.added - read;
    return skipped(facts, isFresh ? 0 : read + this.#correction);
  }

  /** Call it when a skip was counted: from then on those entries count as read. */
  countedOfGroup(lost: number): void {
    this.#correction += lost;
  }

  /** Entries that a reader without a group has skipped; its read now brought `count` of at most `asked`. */
  ofReader(facts: StreamFacts, { count, asked }: { count: number; asked: number }): number {
    const lost = this.#readCount === undefined ? 0 : skipped(facts, this.#readCount);
    if (count < asked) this.#readCount = facts.added;
    else if (this.#readCount !== undefined) this.#readCount += lost + count;
    return lost;
  }
}

function skipped({ added, length }: StreamFacts, read: number): number {
  const gone = added - length;
  return Number.isNaN(gone) || Number.isNaN(read) ? 0 : Math.max(0, gone - read);
}
