import { sleep } from '@sluice/runtime';
import {
  type Damage,
  type LoggedEvent,
  type LogPage,
  type SessionRef,
  type Sessions,
  StoreUnavailable,
} from '@sluice/store';
import { type BuiltEvent, buildReadable, type FrameSession } from './frames.js';
import type { PaidReads } from './paid-reads.js';
import type { Reader } from './reader.js';
import type { RepairLine } from './repair-line.js';

/** A hole in live events is waited for so long, then read from the log. */
const HOLE_MS = 50;
const PAGE = 256;
/** Events that wait for a hole to fill; more of them, and the log is read at once. */
const AHEAD_MAX = 1_024;
/** Between two reads of a reader that came no further, doubled each time. */
const PAUSE_MS = { first: 20, most: 1_000 };

/** Where a log stands: its epoch and the seq of its newest event. */
export type LogPosition = { readonly epoch: string; readonly head: number };

/** Where a reader begins: `head` is where the log stood; `resync`: a snapshot comes first. */
export type ReaderStart = LogPosition & { readonly resync: boolean };

export type FeedDeps = {
  readonly sessions: Sessions;
  readonly reads: PaidReads;
  readonly repairs: RepairLine;
  readonly damage: Damage;
};

/**
 * One session's events on this node: puts them in order and hands them to the local readers.
 *
 * A reader is catching up (it reads the log by itself, in `follow`) or live (it gets what `advance` brings).
 * A read of the log that fails leaves it where it is, to be tried again behind a pause. Only `repair`, one at
 * a time, decides which epoch the feed is on: epochs are compared for being the same, never for being later.
 */
export class Feed {
  private readonly live = new Set<Reader>();
  private readonly catchingUp = new Map<Reader, Promise<void>>();
  private readonly ahead = new Map<number, LoggedEvent>();
  private holeTimer: NodeJS.Timeout | undefined;
  private repairing = false;
  private repairAgain = false;
  /** Newest event heard before the first reader said where the log stands. */
  private heardEarly = 0;
  private position = 0;
  private epoch = '';

  constructor(
    readonly ref: SessionRef,
    private readonly session: FrameSession,
    private readonly deps: FeedDeps,
  ) {}

  /** An event at that place need not even be read. */
  has({ epoch, seq }: { readonly epoch: string; readonly seq: number }): boolean {
    return epoch === this.epoch && seq <= this.position;
  }

  /** An event from the channel, or from the reply of the call that logged it; undefined: unreadable. */
  offer(event: LoggedEvent | undefined): void {
    if (event === undefined) {
      this.deps.damage(`channel of ${this.ref.sessionId}`, { session: this.ref.sessionId });
      this.heardEarly = Number.POSITIVE_INFINITY;
      return this.mustRepair();
    }
    if (this.epoch === '') {
      this.heardEarly = Math.max(this.heardEarly, event.seq);
      return;
    }
    // A late one of the log that was, or the first of another log: only Redis knows.
    if (event.epoch !== this.epoch) return this.mustRepair();
    if (event.seq <= this.position) return;
    this.ahead.set(event.seq, event);
    this.advance();
    if (this.ahead.size > AHEAD_MAX) this.mustRepair();
    else if (this.ahead.size > 0) this.holeTimer ??= setTimeout(() => this.mustRepair(), HOLE_MS);
  }

  private mustRepair(): void {
    this.deps.repairs.add(this);
  }

  private advance(): void {
    for (let next = this.ahead.get(this.position + 1); next; ) {
      this.ahead.delete(next.seq);
      this.position = next.seq;
      const built = this.build(next);
      for (const reader of this.live) {
        if (reader.cursor < next.seq) hand(reader, next, built);
      }
      next = this.ahead.get(this.position + 1);
    }
    if (this.ahead.size === 0) {
      clearTimeout(this.holeTimer);
      this.holeTimer = undefined;
    }
  }

  private build(event: LoggedEvent): BuiltEvent | undefined {
    const built = buildReadable(event, this.session);
    if (!built) {
      const { sessionId: session } = this.ref;
      this.deps.damage(`log of ${session}`, { session, seq: event.seq });
    }
    return built;
  }

  /** Reads from the log what the channel did not bring, once for all local readers. Throws StoreUnavailable. */
  async repair(): Promise<void> {
    if (this.epoch === '') return;
    if (this.repairing) {
      this.repairAgain = true; // what is being read may be older than what was missed just now
      return;
    }
    this.repairing = true;
    clearTimeout(this.holeTimer);
    this.holeTimer = undefined;
    try {
      for (let full = true; full; ) {
        const heard = this.position;
        const page = await this.deps.sessions.log(this.ref, { after: heard, count: PAGE });
        if (!page) return this.everybody((reader) => reader.gone());
        const [first] = page.events;
        const isTrimmed = first && first.seq > this.position + 1;
        // Its tail was lost with a Redis. Whoever comes must not wait for what was heard of it.
        const isCutBack = page.head < heard;
        if (page.epoch !== this.epoch || isTrimmed || isCutBack) {
          return this.restart(page.epoch, page.head);
        }
        for (const event of page.events)
          if (event.seq > this.position) this.ahead.set(event.seq, event);
        this.advance();
        full = (page.events.at(-1)?.seq ?? page.head) < page.head;
      }
      for (const seq of this.ahead.keys()) if (seq <= this.position) this.ahead.delete(seq);
    } finally {
      this.repairing = false;
      if (this.repairAgain) {
        this.repairAgain = false;
        this.mustRepair();
      }
    }
  }

  /** Its log cannot be read: readers that stayed would be deaf. */
  failed(error: unknown): void {
    const { sessionId: session } = this.ref;
    this.deps.damage(`log of ${session}`, { session, err: error });
    this.everybody((reader) => reader.broken());
  }

  /** Sends every reader back to the log: it decides there whether its cursor still means anything. */
  private restart(epoch: string, position: number): void {
    this.epoch = epoch;
    this.position = position;
    this.ahead.clear();
    this.everybody((reader) => void this.catchUp(reader, { epoch, head: 0, resync: false }));
  }

  private everybody(act: (reader: Reader) => void): void {
    const readers = [...this.live];
    this.live.clear();
    for (const reader of readers) act(reader);
  }

  /**
   * Brings a reader from its cursor to the present and lets it go live, without hole or double: it is
   * added in the same tick in which its cursor has reached what the channel brought. `at` is where the
   * log stood when the reader attached, asked after the subscription. Never rejects.
   */
  catchUp(reader: Reader, at: ReaderStart): Promise<void> {
    const underWay = this.catchingUp.get(reader);
    if (underWay) return underWay;
    const caughtUp = this.follow(reader, at)
      .catch((error) => {
        const { sessionId: session } = this.ref;
        this.deps.damage(`log of ${session}`, { session, err: error });
        reader.broken();
      })
      .finally(() => this.catchingUp.delete(reader));
    this.catchingUp.set(reader, caughtUp);
    return caughtUp;
  }

  /** Gives a reader a snapshot in the place of what follows its cursor; it is never set back by it. */
  async snapshot(reader: Reader): Promise<void> {
    await this.catchingUp.get(reader);
    this.live.delete(reader);
    try {
      if (!reader.closed) await reader.resync();
    } finally {
      await this.catchUp(reader, { epoch: reader.epoch, head: reader.cursor, resync: false });
    }
  }

  private async follow(reader: Reader, { epoch, head, resync }: ReaderStart): Promise<void> {
    if (this.epoch === '') {
      this.epoch = epoch;
      this.position = head;
      if (this.heardEarly > head) this.mustRepair();
    }
    const way = { head, resync };
    for (let pauseMs = PAUSE_MS.first; !reader.closed; ) {
      const isPresent = reader.epoch === this.epoch && !way.resync;
      if (isPresent && reader.cursor >= Math.max(way.head, this.position)) {
        this.live.add(reader);
        return;
      }
      const { cursor, epoch: before } = reader;
      try {
        await this.step(reader, way);
      } catch (err) {
        if (!(err instanceof StoreUnavailable)) throw err;
      }
      if (reader.cursor !== cursor || reader.epoch !== before) pauseMs = PAUSE_MS.first;
      else {
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most);
      }
    }
  }

  /** One read of the log, or of a snapshot in its place. */
  private async step(reader: Reader, way: { head: number; resync: boolean }): Promise<void> {
    if (way.resync) {
      await reader.resync();
      way.resync = false;
      return;
    }
    const range = { after: reader.cursor, count: PAGE };
    const page = await this.deps.reads.log(this.ref, range, { isGone: () => reader.closed });
    if (reader.closed) return;
    if (!page) return reader.gone();
    way.head = Math.min(way.head, page.head); // less than it was: its tail is lost
    if (page.epoch !== this.epoch || page.head < this.position) this.mustRepair();
    await this.feedPage(reader, page);
  }

  private async feedPage(reader: Reader, page: LogPage): Promise<void> {
    if (page.epoch !== reader.epoch) {
      const same = page.epochBefore === reader.epoch && reader.cursor <= page.epochFrom;
      if (!same) return await reader.resync();
      reader.moveTo(page.epoch);
    }
    if (page.events.length === 0 && page.head > reader.cursor) return await reader.resync();
    for (const event of page.events) {
      // After each: a page may hold more than may be buffered for one reader.
      await reader.writable();
      if (reader.closed || reader.epoch !== page.epoch) return;
      if (event.seq <= reader.cursor) continue; // a snapshot has moved the reader meanwhile
      if (event.seq > reader.cursor + 1) return await reader.resync(); // trimmed (E4)
      hand(reader, event, this.build(event));
    }
  }

  remove(reader: Reader): void {
    this.live.delete(reader);
  }

  stop(): void {
    clearTimeout(this.holeTimer);
    this.epoch = '';
  }
}

function hand(reader: Reader, event: LoggedEvent, built: BuiltEvent | undefined): void {
  if (built) reader.take(built);
  else reader.skip(event.seq);
}
