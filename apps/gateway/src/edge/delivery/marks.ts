import type { Logger } from '@sluice/runtime';
import type { ResumeMark, SessionRef, Sessions } from '@sluice/store';
import type { Feed } from './feed.js';
import { startRounds } from './rounds.js';
import type { SocketReader } from './socket-reader.js';

/** What is read of a reader: the seq that was last sent to its socket. */
type Reader = Pick<SocketReader, 'sentSeq'>;

/** One connection's part in the mark of its session. */
export type MarkPart = {
  /** The attach was answered: the reader stands where Redis has put it. */
  bind(reader: Reader): void;
  /** The connection detaches, or its attach failed. May be called twice. */
  leave(): void;
};

export type Marks = {
  /** Call before the attach of a client that tracks no cursor is sent to Redis. */
  enter(feed: Feed, ref: SessionRef): MarkPart;
  /** Writes the marks that have moved, each at most once in `everyMs`. */
  start(everyMs: number): NodeJS.Timeout;
  /** Resolves when the writes under way are answered or have failed. */
  written(): Promise<unknown>;
};

type Mark = {
  readonly ref: SessionRef;
  readonly readers: Set<Reader>;
  /** Attaches under way: Redis may have put one lower than every reader here. */
  entering: number;
  /** The seq that Redis has for this mark; undefined: not known. */
  written: number | undefined;
};

/**
 * Resume marks (E10): one for each session with connections that track no cursor, however many these are. It is the
 * lowest seq that was sent to any of them: if this process dies, nothing else counts.
 */
export function makeMarks(sessions: Pick<Sessions, 'mark'>, log: Logger): Marks {
  const byFeed = new Map<Feed, Mark>();
  const writing = new Set<Promise<unknown>>();

  function write(mark: Mark, what: ResumeMark): void {
    mark.written = typeof what.lowest === 'number' ? what.lowest : undefined;
    const settled = sessions
      .mark(mark.ref, what)
      .catch((err) => {
        mark.written = undefined;
        log.debug({ err }, 'resume mark not written');
      })
      .finally(() => writing.delete(settled));
    writing.add(settled);
  }

  function writeMoved(mark: Mark): void {
    const lowest = lowestOf(mark);
    if (typeof lowest === 'number' && lowest !== mark.written) write(mark, { lowest });
  }

  return {
    enter(feed, ref) {
      const mark = byFeed.get(feed) ?? {
        ref,
        readers: new Set(),
        entering: 0,
        written: undefined,
      };
      byFeed.set(feed, mark);
      mark.entering += 1;
      let bound: Reader | undefined;
      let hasLeft = false;
      return {
        bind(reader) {
          bound = reader;
          mark.entering -= 1;
          mark.readers.add(reader);
          mark.written = undefined; // the attach has lowered it
        },
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          if (bound) mark.readers.delete(bound);
          else mark.entering -= 1;
          mark.written = undefined; // an attach whose reply was lost may have lowered it
          const lowest = lowestOf(mark);
          if (bound) {
            const detached = bound.sentSeq;
            write(mark, lowest === undefined ? { detached } : { lowest, detached });
          }
          if (lowest === 'none') byFeed.delete(feed);
        },
      };
    },
    start: (everyMs) => startRounds(() => [...byFeed.values()], writeMoved, everyMs),
    written: () => Promise.all(writing),
  };
}

/** undefined: an attach is under way, so that only Redis knows. */
function lowestOf({ readers, entering }: Mark): number | 'none' | undefined {
  if (entering > 0) return undefined;
  if (readers.size === 0) return 'none';
  let lowest = Number.POSITIVE_INFINITY;
  for (const { sentSeq } of readers) lowest = Math.min(lowest, sentSeq);
  return lowest;
}
