import { sleep, within } from '@sluice/runtime';
import {
  type Channels,
  decodePublished,
  type Keys,
  type LogEvent,
  type LogPage,
  type SessionRef,
  type Sessions,
  StoreUnavailable,
  sessionKeyId,
} from '@sluice/store';
import { type BuiltEvent, buildEvent, type FrameSession } from './frames.js';
import type { PaidReads } from './paid-reads.js';
import { RepairLine } from './repair-line.js';

/** A hole in live events is waited for so long, then read from the log. */
const HOLE_MS = 50;
const PAGE = 256;
/** Events that wait for a hole to fill; more of them, and the log is read at once. */
const AHEAD_MAX = 1_024;
const RETRY_MS = 250;
/** As long as any command may take. */
const SUBSCRIBE_LIMIT_MS = 2_000;

/** Reads one session's events in order: a socket, an SSE stream, a request that waits for a reply. */
export interface Reader {
  /** Seq of the last event taken. */
  readonly cursor: number;
  readonly epoch: string;
  readonly closed: boolean;
  /** The next event; `seq` = cursor + 1. */
  take(built: BuiltEvent): void;
  /** The log that the reader was on is now under `epoch`, unchanged up to its cursor. */
  moveTo(epoch: string): void;
  /** What follows the cursor is lost: takes a snapshot instead and moves behind it. */
  resync(): Promise<void>;
  /** The session does not exist any more. */
  gone(): void;
  /** Resolves when more may be written. */
  writable(): Promise<void>;
}

/** Where a log stands: its epoch and the seq of its newest event. */
export type LogPosition = { readonly epoch: string; readonly head: number };

type Deps = {
  readonly sessions: Sessions;
  readonly reads: PaidReads;
  readonly repairs: RepairLine;
};

/** One session's events on this node: puts them in order and hands them to the local readers. */
export class Feed {
  private readonly live = new Set<Reader>();
  private readonly catchingUp = new Map<Reader, Promise<void>>();
  private readonly ahead = new Map<number, LogEvent>();
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
    private readonly deps: Deps,
  ) {}

  /** An event from the channel, or from the reply of the call that logged it. */
  offer(event: LogEvent): void {
    if (this.epoch === '') {
      this.heardEarly = Math.max(this.heardEarly, event.seq);
      return;
    }
    if (event.epoch !== this.epoch) return this.renewEpoch(event);
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
      const built = buildEvent(next, this.session);
      for (const reader of this.live) {
        if (reader.cursor < next.seq) reader.take(built);
      }
      next = this.ahead.get(this.position + 1);
    }
    if (this.ahead.size === 0) {
      clearTimeout(this.holeTimer);
      this.holeTimer = undefined;
    }
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

  private renewEpoch(event: LogEvent): void {
    // Epochs are times: an older one is a late message of the log that was.
    if (BigInt(event.epoch) < BigInt(this.epoch)) return;
    this.restart(event.epoch, event.seq);
  }

  /** Sends every reader back to the log: it decides there whether its cursor still means anything. */
  private restart(epoch: string, position: number): void {
    this.epoch = epoch;
    this.position = position;
    this.ahead.clear();
    this.everybody((reader) => void this.catchUp(reader, { epoch, head: 0 }));
  }

  private everybody(act: (reader: Reader) => void): void {
    const readers = [...this.live];
    this.live.clear();
    for (const reader of readers) act(reader);
  }

  /**
   * Brings a reader from its cursor to the present and lets it go live, without hole or double: it is
   * added in the same tick in which its cursor has reached what the channel brought. `at` is where the
   * log stood when the reader attached, asked after the subscription.
   */
  catchUp(reader: Reader, at: LogPosition): Promise<void> {
    const underWay = this.catchingUp.get(reader);
    if (underWay) return underWay;
    const caughtUp = this.follow(reader, at).finally(() => this.catchingUp.delete(reader));
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
      await this.catchUp(reader, { epoch: reader.epoch, head: reader.cursor });
    }
  }

  private async follow(reader: Reader, { epoch, head }: LogPosition): Promise<void> {
    if (this.epoch === '') {
      this.epoch = epoch;
      this.position = head;
      if (this.heardEarly > head) this.mustRepair();
    }
    while (!reader.closed) {
      try {
        if (reader.epoch === this.epoch && reader.cursor >= Math.max(head, this.position)) {
          this.live.add(reader);
          return;
        }
        const range = { after: reader.cursor, count: PAGE };
        const isGone = () => reader.closed;
        const page = await this.deps.reads.log(this.ref, range, { isGone });
        if (reader.closed) return;
        if (!page) return reader.gone();
        await this.feedPage(reader, page);
      } catch (err) {
        if (!(err instanceof StoreUnavailable)) throw err;
        await sleep(RETRY_MS);
      }
    }
  }

  private async feedPage(reader: Reader, page: LogPage): Promise<void> {
    if (page.epoch !== reader.epoch) {
      const same = page.epochBefore === reader.epoch && reader.cursor <= page.epochFrom;
      if (!same) return await reader.resync();
      reader.moveTo(page.epoch);
    }
    if (page.epoch !== this.epoch && BigInt(page.epoch) > BigInt(this.epoch)) {
      this.restart(page.epoch, page.head);
    }
    if (page.events.length === 0 && page.head > reader.cursor) return await reader.resync();
    for (const event of page.events) {
      // After each: a page may hold more than may be buffered for one reader.
      await reader.writable();
      if (reader.closed || reader.epoch !== page.epoch) return;
      if (event.seq <= reader.cursor) continue; // a snapshot has moved the reader meanwhile
      if (event.seq > reader.cursor + 1) return await reader.resync(); // trimmed (E4)
      reader.take(buildEvent(event, this.session));
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

export type FanOut = ReturnType<typeof makeFanOut>;

type FanOutOptions = {
  readonly channels: Channels;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly reads: PaidReads;
};

/** Session channel -> feed, reference-counted: one subscription per session and node. */
export function makeFanOut({ channels, keys, sessions, reads }: FanOutOptions) {
  const deps: Deps = { sessions, reads, repairs: new RepairLine() };
  type Entry = { feed: Feed; users: number; subscribed: Promise<void> };
  const entries = new Map<string, Entry>();
  channels.onReconnect(() => {
    for (const { feed } of entries.values()) deps.repairs.add(feed);
  });
  const idOf = (ref: SessionRef) => sessionKeyId(ref.principal, ref.sessionId);

  function release(ref: SessionRef): void {
    const id = idOf(ref);
    const entry = entries.get(id);
    if (!entry || --entry.users > 0) return;
    entries.delete(id);
    entry.feed.stop();
    channels.unsubscribe(keys.channel(id));
  }

  return {
    /** The feed of a session, subscribed when this resolves; to be released once per call. */
    async acquire(ref: SessionRef, agentId: string): Promise<Feed> {
      const id = idOf(ref);
      let entry = entries.get(id);
      if (!entry) {
        // That connection waits for Redis instead of failing: whoever asks must not (C3).
        if (!channels.connected) throw new StoreUnavailable('cannot subscribe now');
        const feed = new Feed(ref, { sessionId: ref.sessionId, agentId }, deps);
        const subscribed = channels.subscribe([keys.channel(id)], (payload) =>
          feed.offer(decodePublished(payload)),
        );
        entry = { feed, users: 0, subscribed };
        entries.set(id, entry);
      }
      entry.users++;
      const { feed, subscribed } = entry;
      const confirmed = subscribed.then(() => true);
      if (await within(confirmed, SUBSCRIBE_LIMIT_MS).catch(() => false)) return feed;
      release(ref);
      throw new StoreUnavailable('cannot subscribe');
    },
    release,
    /** Sessions that somebody reads on this node. */
    sessions: () => [...entries.values()].map(({ feed }) => feed.ref),
  };
}
