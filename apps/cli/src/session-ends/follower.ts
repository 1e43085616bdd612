import { exitStatus, StartError, sleep, within } from '@sluice/runtime';
import type { EndBatch, EndReader, ReadEnd } from '@sluice/store';
import { untilStopped } from '../command/until-stopped.js';
import { writeLines } from '../output/write.js';
import { Remembered } from './remembered.js';

export type Lines = {
  of(ends: readonly ReadEnd[]): string[];
  /** Lines about entries that were trimmed before they were read; may be empty. */
  ofLost(lost: number): string[];
};

export type FollowerOptions = {
  /** Waits for more at the end of the stream, and while Redis is away. */
  readonly isEndless: boolean;
  readonly lines: Lines;
  notice(text: string): void;
};

/** Ids kept to find doubles, which come close together (a repeated copy, a takeover): 200 bytes each, 2 MB. */
const REMEMBERED = 10_000;
const AWAY_PAUSE_MS = 500;
/** Time for lines that are being written when the stop comes: the reader may have stopped reading. */
const STOP_MS = 1_000;

/** Reads, writes, acknowledges: a record is acknowledged only after its line was written. */
export class Follower {
  readonly #known = new Remembered(REMEMBERED);
  readonly #stop = new AbortController();
  #isAway = false;

  constructor(
    readonly reader: EndReader,
    readonly options: FollowerOptions,
  ) {}

  /** Ends `run` when the current lines are written, after `STOP_MS` at the latest. */
  stop(): void {
    this.#stop.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    await this.#attempt(async () => {
      for (const id of await this.reader.acknowledged(REMEMBERED)) this.#known.add(id);
    });
    for (;;) {
      const round = this.#attempt(() => this.#round());
      const first = await untilStopped(round, signal);
      if (first === 'stopped') await within(round, STOP_MS);
      if (first === 'stopped' || first === 'end') return;
    }
  }

  /** Handles one batch; returns 'end' at the end of the stream unless the follower is endless. */
  async #round(): Promise<'more' | 'end'> {
    const batch = await this.reader.read();
    this.#isBack();
    if (batch.ids.length > 0 || batch.ends.length > 0 || batch.lost > 0) {
      await this.#pass(batch);
      return 'more';
    }
    if (!this.options.isEndless) return 'end';
    await untilStopped(this.reader.wait(), this.#stop.signal);
    return 'more';
  }

  async #pass({ ends, ids, lost }: EndBatch): Promise<void> {
    const { lines, notice } = this.options;
    if (lost > 0)
      notice(`${lost} records were trimmed before they were read (session_end.max_length)`);
    const fresh = ends.filter(({ eventId }) => this.#known.add(eventId));
    const text = [...(lost > 0 ? lines.ofLost(lost) : []), ...lines.of(fresh)];
    await writeLines(text);
    await this.reader.acknowledge(ids);
  }

  /** While Redis is away: an endless follower waits and returns undefined, any other throws. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StartError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      if (!this.options.isEndless) {
        const text = `Redis does not answer (${why}); sluice doctor checks it`;
        throw new StartError(text, exitStatus.tempFail);
      }
      if (!this.#isAway) {
        this.options.notice(`Redis is away (${why}); waiting for it`);
      }
      this.#isAway = true;
      await sleep(AWAY_PAUSE_MS, this.#stop.signal);
      return undefined;
    }
  }

  #isBack(): void {
    if (this.#isAway) this.options.notice('Redis is back');
    this.#isAway = false;
  }
}
