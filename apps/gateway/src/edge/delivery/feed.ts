import { sleep } from '@sluice/runtime';
import {
  type Damage,
  type LoggedEvent,
  type LogPage,
  type SessionRef,
  type Sessions,
  StoreUnavailable,
} from '@sluice/store';
import type { PaidReads } from '../limits/paid-reads.js';
import { type BuiltEvent, buildReadable, type FrameSession } from './frames.js';
import type { Reader } from './reader.js';
import type { RepairLine } from './repair-line.js';
import { type Page, SharedReads } from './shared-reads.js';

/** A missing event may arrive this late; then the log is read. */
const HOLE_MS = 50;
const PAGE = 256;
/** Most events that wait for a missing one; beyond it the log is read at once. */
const HEARD_MAX = 1_024;
/** Newest events kept while a page is read: they follow an older page, so that its readers need no second one. */
const KEPT = 32;
/** Pause after a read that brought a reader no further; doubled each time. */
const PAUSE_MS = { first: 20, most: 1_000 };

/** Where a log stands: its epoch and the seq of its newest event. */
export type LogPosition = { readonly epoch: string; readonly head: number };

export type ReaderStart = LogPosition & {
  /** The reader gets a snapshot first. */
  readonly resync: boolean;
  /** Events after the reader's cursor, read by the attach itself. */
  readonly page?: LogPage | undefined;
};

export type FeedDeps = {
  readonly sessions: Sessions;
  readonly reads: PaidReads;
  readonly repairs: RepairLine;
  readonly damage: Damage;
};

/** What a reader still needs before it goes live. `isRepair`: it was live before, so its reads cost nothing. */
type Way = { head: number; resync: boolean; page?: Page | undefined; readonly isRepair: boolean };

/**
 * One session's events on this node: puts them in order and hands them to the local readers. The feed is
 * - UNPLACED (`epoch` is ''): events only gather in `heard`. When the first reader says where the log stands
 *   (`catchUp`): to SURE, or to IN DOUBT if a doubt came before. `stop` returns to it after the last reader has left.
 * - SURE (`settled` = `doubts`): the live readers have every event up to `position`. To IN DOUBT by `doubt`.
 * - IN DOUBT (`settled` < `doubts`): no reader is live. To SURE by `settle`, with the first page that was asked for
 *   after the last doubt: it says where the log stands.
 * A reader is
 * - CATCHING UP (in `catchingUp`): `follow` reads the log for it; after a read that failed it pauses and tries again.
 *   To LIVE when the feed is SURE and the reader has every event known here (`goLive`).
 * - LIVE (in `live`): it has every event up to `position`, and gets the next one when the channel brings it.
 *   To CATCHING UP when a doubt arises, or after a `snapshot`.
 * - CLOSED (`reader.closed`): `remove` takes it out of `live`, and `follow` ends. Nothing leads back.
 *
 * A doubt is what the channel alone cannot settle: a hole, a lost subscription, an unreadable publication, another
 * epoch, a log that is shorter than what was heard. Epochs are only compared for being the same.
 */
export class Feed {
  private readonly live = new Set<Reader>();
  private readonly catchingUp = new Map<Reader, Promise<void>>();
  private readonly reads = new SharedReads();
  /** Events after `position`, and some before it that readers who catch up may lack. */
  private readonly heard = new Map<number, LoggedEvent>();
  private newestHeard = 0;
  private holeTimer: NodeJS.Timeout | undefined;
  private doubts = 0;
  /** Doubts that a page has settled: `doubts` when that page was asked for. */
  private settled = 0;
  private position = 0;
  private epoch = '';

  constructor(
    readonly ref: SessionRef,
    private readonly session: FrameSession,
    private readonly deps: FeedDeps,
  ) {}

  /** Whether this event was handed on before: the channel and the replies to our own calls bring the same ones. */
  has({ epoch, seq }: Pick<LoggedEvent, 'epoch' | 'seq'>): boolean {
    return epoch === this.epoch && seq <= this.position;
  }

  /** Events from the channel, or from the reply of the call that logged them; undefined: unreadable. */
  offer(event: LoggedEvent | undefined): void {
    if (event === undefined) {
      this.deps.damage(`channel of ${this.ref.sessionId}`, { session: this.ref.sessionId });
      return this.doubt();
    }
    if (this.has(event)) return;
    // A late event of an earlier log, or the first of a new one: only Redis knows.
    if (this.epoch !== '' && event.epoch !== this.epoch) return this.doubt();
    this.heard.set(event.seq, event);
    this.newestHeard = Math.max(this.newestHeard, event.seq);
    if (this.epoch !== '') this.advance();
    if (this.heard.size <= HEARD_MAX) return;
    this.heard.clear();
    this.doubt();
  }

  /** Something may have been missed: every reader goes back to the log. */
  doubt(): void {
    this.doubts += 1;
    this.wait(false);
    const readers = [...this.live];
    this.live.clear();
    for (const reader of readers) void this.enter(reader, backToLog());
  }

  private advance(): void {
    for (let next = this.heard.get(this.position + 1); next; ) {
      this.position = next.seq;
      this.heard.delete(this.reads.areUnderWay ? next.seq - KEPT : next.seq);
      const built = this.live.size > 0 ? this.build(next) : undefined;
      for (const reader of this.live) if (reader.cursor < next.seq) hand(reader, next, built);
      next = this.heard.get(this.position + 1);
    }
    this.wait(this.newestHeard > this.position);
  }

  /** Starts or ends the wait for a missing event. What came in while this process stood still is read first. */
  private wait(forHole: boolean): void {
    if (!forHole) clearTimeout(this.holeTimer);
    if (forHole === (this.holeTimer !== undefined)) return;
    const timer = forHole ? setTimeout(() => setImmediate(giveUp), HOLE_MS) : undefined;
    const giveUp = () => {
      if (timer === this.holeTimer) this.doubt();
    };
    this.holeTimer = timer;
  }

  private build(event: LoggedEvent): BuiltEvent | undefined {
    const built = buildReadable(event, this.session);
    if (!built) {
      const { sessionId: session } = this.ref;
      this.deps.damage(`log of ${session}`, { session, seq: event.seq });
    }
    return built;
  }

  /** Brings a reader to LIVE, without hole or double. `head` was asked for after the subscription. Never rejects. */
  catchUp(reader: Reader, { epoch, ...at }: ReaderStart): Promise<void> {
    if (this.epoch === '') {
      this.epoch = epoch;
      this.position = at.head;
      const early = [...this.heard.values()];
      this.heard.clear();
      this.newestHeard = 0;
      for (const event of early) this.offer(event);
    }
    return this.enter(reader, { ...at, isRepair: false });
  }

  /** Gives a reader a snapshot in place of the events after its cursor. Its cursor never goes back. */
  async snapshot(reader: Reader): Promise<void> {
    await this.catchingUp.get(reader);
    this.live.delete(reader);
    try {
      if (!reader.closed) await reader.resync();
    } finally {
      await this.enter(reader, backToLog());
    }
  }

  private enter(reader: Reader, way: Way): Promise<void> {
    const underWay = this.catchingUp.get(reader);
    if (underWay) return underWay;
    const caughtUp = this.follow(reader, way)
      .catch((error) => {
        const { sessionId: session } = this.ref;
        this.deps.damage(`log of ${session}`, { session, err: error });
        reader.broken(); // a reader that stayed would be deaf
      })
      .finally(() => {
        if (this.catchingUp.get(reader) === caughtUp) this.catchingUp.delete(reader);
        if (this.catchingUp.size > 0) return;
        for (const seq of this.heard.keys()) if (seq <= this.position) this.heard.delete(seq);
      });
    if (!this.live.has(reader)) this.catchingUp.set(reader, caughtUp);
    return caughtUp;
  }

  private async follow(reader: Reader, way: Way): Promise<void> {
    for (let pauseMs = PAUSE_MS.first; !reader.closed && !this.goLive(reader, way); ) {
      const { cursor, epoch } = reader;
      const { settled } = this;
      try {
        await this.step(reader, way);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      const isFurther = reader.cursor !== cursor || reader.epoch !== epoch;
      if (isFurther || settled !== this.settled) pauseMs = PAUSE_MS.first;
      else {
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most);
      }
    }
  }

  /** Hands over the rest of what was heard, and lets the reader go live in the same tick. False: not yet. */
  private goLive(reader: Reader, way: Way): boolean {
    const isHere = reader.epoch === this.epoch && reader.cursor >= way.head;
    if (!isHere || way.resync || this.settled !== this.doubts) return false;
    for (let next = this.heard.get(reader.cursor + 1); next; ) {
      if (next.seq > this.position) break;
      hand(reader, next, this.build(next));
      next = this.heard.get(reader.cursor + 1);
    }
    if (reader.closed || reader.cursor < this.position) return false;
    this.live.add(reader);
    this.catchingUp.delete(reader); // a doubt in this tick must find it live, and no longer on its way
    return true;
  }

  /** One page of the log, or a snapshot in its place. */
  private async step(reader: Reader, way: Way): Promise<void> {
    if (way.resync) {
      await reader.resync();
      way.resync = false;
      return;
    }
    const page = way.page ?? (await this.read(reader, way.isRepair));
    way.page = undefined;
    if (reader.closed) return;
    if (!page) return reader.gone();
    way.head = Math.min(way.head, page.head); // less than it was: its tail is lost
    await this.handPage(reader, page);
  }

  private read(reader: Reader, isRepair: boolean): Promise<Page | undefined> {
    const { doubts, position, ref, deps } = this;
    const range = { after: reader.cursor, count: PAGE };
    const place = `${reader.epoch} ${reader.cursor} ${doubts} ${isRepair}`;
    return this.reads.page(reader, place, async (isGone) => {
      const page = isRepair
        ? await deps.repairs.run(() => deps.sessions.log(ref, range, { isGone }))
        : await deps.reads.log(ref, range, { isGone });
      if (page) this.settle(page, { doubts, position });
      return page;
    });
  }

  /** Takes over where the log stands. `asked`: doubts and position when the page was asked for. */
  private settle(page: LogPage, asked: { doubts: number; position: number }): void {
    const isOther = page.epoch !== this.epoch || page.head < asked.position;
    if (asked.doubts <= this.settled) {
      if (isOther && this.settled === this.doubts) this.doubt(); // this page may be the older one
      return;
    }
    this.settled = asked.doubts;
    if (isOther) {
      this.heard.clear();
      this.newestHeard = 0;
    }
    this.epoch = page.epoch;
    this.position = isOther ? page.head : Math.max(this.position, page.head);
    this.advance();
  }

  private async handPage(reader: Reader, page: Page): Promise<void> {
    if (page.epoch !== reader.epoch) {
      const same = page.epochBefore === reader.epoch && reader.cursor <= page.epochFrom;
      if (!same) return await reader.resync();
      reader.moveTo(page.epoch);
    }
    // Trimmed, or the log has lost what this reader has seen.
    if (page.events.length === 0 && page.head !== reader.cursor) return await reader.resync();
    for (const [at, event] of page.events.entries()) {
      // Before each event: a page may hold more than may be buffered for one reader.
      await reader.writable();
      if (reader.closed || reader.epoch !== page.epoch) return;
      if (event.seq <= reader.cursor) continue; // a snapshot has moved the reader meanwhile
      if (event.seq > reader.cursor + 1) return await reader.resync(); // trimmed (E4)
      const built = page.built?.[at] ?? this.build(event);
      if (page.built) page.built[at] = built;
      hand(reader, event, built);
    }
  }

  remove(reader: Reader): void {
    this.live.delete(reader);
  }

  stop(): void {
    this.wait(false);
    this.epoch = '';
  }
}

const backToLog = (): Way => ({ head: 0, resync: false, isRepair: true });

function hand(reader: Reader, { seq }: LoggedEvent, built: BuiltEvent | undefined): void {
  if (built) reader.take(built);
  else reader.skip(seq);
}
