import type { Logger } from '@sluice/runtime';
import type { ResumeMark, SessionRef, Sessions } from '@sluice/store';
import type { Feed } from './feed.js';
import { startRounds } from './rounds.js';
import type { SocketReader } from './socket-reader.js';

/** What is read of a reader: the seq last handed to its socket. */
type Reader = Pick<SocketReader, 'handed'>;

/** One connection's part in the mark of its session. */
export type MarkPart = {
  /** The attach was answered; the reader stands where Redis put it. */
  bind(reader: Reader): void;
  /** It detaches, or its attach came to nothing. */
  leave(): void;
};

export type Marks = {
  /** An attach of a client that tracks no cursor is about to be sent to Redis. */
  enter(feed: Feed, ref: SessionRef): MarkPart;
  /** Writes the marks that have moved, each at most once in `everyMs`. */
  start(everyMs: number): NodeJS.Timeout;
  /** What is being written now has been written, or has failed. */
  written(): Promise<unknown>;
};

type Mark = {
  readonly ref: SessionRef;
  readonly readers: Set<Reader>;
  /** Attaches under way: Redis may have put them lower than any reader here stands. */
  entering: number;
  /** The seq that Redis has; undefined: not known. */
  written: number | undefined;
};

/**
 * Resume marks (E10): one for each session with connections that track no cursor, however many they are. It is
 * the lowest seq that any of them was handed, which is all that counts should this process die.
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
            const detached = bound.handed;
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

/** undefined: only Redis knows, as long as an attach is under way. */
function lowestOf({ readers, entering }: Mark): number | 'none' | undefined {
  if (entering > 0) return undefined;
  if (readers.size === 0) return 'none';
  let lowest = Number.POSITIVE_INFINITY;
  for (const { handed } of readers) lowest = Math.min(lowest, handed);
  return lowest;
}
