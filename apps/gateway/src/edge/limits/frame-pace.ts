/** Before its `hello` a connection only needs pings, and the frames that it sends together with the `hello`. */
const BEFORE_HELLO = { burst: 100, perSecond: 10 };
/** A frame costs one, and one more for each full 16 KiB. */
const FRAME_BYTES = 16 * 1024;
/** What a frame costs in addition when another limit refuses it: a client that goes on is slowed, then closed. */
const REFUSED_FRAMES = 10;
/** After this many refusals a connection is closed; they are forgotten once it has half of its burst again. */
const REFUSALS_MAX = 10;
/** Principals whose level is kept. The one that connected longest ago is dropped, and begins with a full one. */
const PRINCIPALS_MAX = 10_000;

/** Frames per second; 0: no limit. */
export type FrameLimits = {
  /** For one connection; twice as many may come at once. */
  readonly connection: number;
  /** For all connections of one principal together; as many may come at once. */
  readonly principal: number;
};

/** 'crowded': the connections of its principal together send too many. 'over': refused too often, to be closed. */
export type Paced = 'ok' | 'refused' | 'crowded' | 'over';

type Rate = { readonly burst: number; readonly perSecond: number };

/** How many frames may come: it grows with time, up to a burst. */
class Level {
  #left: number;
  #atMs: number;

  constructor(
    private rate: Rate,
    private readonly nowMs: () => number,
  ) {
    this.#left = rate.burst;
    this.#atMs = nowMs();
  }

  get burst(): number {
    return this.rate.burst;
  }

  left(): number {
    const now = this.nowMs();
    const gained = ((now - this.#atMs) / 1_000) * this.rate.perSecond;
    this.#left = Math.min(this.rate.burst, this.#left + gained);
    this.#atMs = now;
    return this.#left;
  }

  take(frames: number): void {
    this.#left -= frames;
  }

  widen(rate: Rate): void {
    this.#left += rate.burst - this.rate.burst;
    this.rate = rate;
  }
}

/** The paces of one node: one for each connection, and one for each principal that its connections share. */
export class FramePaces {
  readonly #shared = new Map<string, Level>();

  constructor(
    private readonly limits: FrameLimits,
    private readonly nowMs: () => number,
  ) {}

  /** The pace of a new connection. */
  of(principal: string): FramePace {
    const { limits, nowMs } = this;
    const shared = limits.principal === 0 ? undefined : this.#sharedBy(principal);
    return new FramePace(limits.connection, nowMs, shared);
  }

  #sharedBy(principal: string): Level {
    const perSecond = this.limits.principal;
    const level =
      this.#shared.get(principal) ?? new Level({ burst: perSecond, perSecond }, this.nowMs);
    this.#shared.delete(principal);
    this.#shared.set(principal, level);
    const [oldest] = this.#shared.keys();
    if (this.#shared.size > PRINCIPALS_MAX && oldest !== undefined) this.#shared.delete(oldest);
    return level;
  }
}

/**
 * How many frames one connection may send, of any kind, WebSocket pings and pongs too. Decided here, without Redis:
 * it bounds what a peer can cost this node before it is known who pays. The library hands over up to 512 KiB of one
 * socket in one go, 80,000 pings, and cannot be made to wait: so a peer that goes on is closed. A connection that
 * sends little is only refused while others of its principal send too much.
 */
export class FramePace {
  readonly #own: Level | undefined;
  #refusals = 0;

  constructor(
    private readonly framesPerSecond: number,
    nowMs: () => number,
    private readonly shared?: Level,
  ) {
    const burst = Math.min(BEFORE_HELLO.burst, 2 * framesPerSecond);
    const perSecond = Math.min(BEFORE_HELLO.perSecond, framesPerSecond);
    this.#own = framesPerSecond === 0 ? undefined : new Level({ burst, perSecond }, nowMs);
  }

  /** The first `hello` opens the whole limit, once; the cost of a `hello` is limited per principal. */
  saidHello(): void {
    this.#own?.widen({ burst: 2 * this.framesPerSecond, perSecond: this.framesPerSecond });
  }

  /** Another limit has refused a frame that this one let through. */
  wasRefused(): void {
    if (this.#own && this.#own.left() > 0) this.#own.take(REFUSED_FRAMES);
  }

  take(bytes: number): Paced {
    const frames = 1 + Math.floor(bytes / FRAME_BYTES);
    const own = this.#takeOwn(frames);
    if (own !== 'ok' || this.shared === undefined) return own;
    if (this.shared.left() < 1) return 'crowded';
    this.shared.take(frames);
    return 'ok';
  }

  #takeOwn(frames: number): Exclude<Paced, 'crowded'> {
    if (this.#own === undefined) return 'ok';
    const left = this.#own.left();
    if (left >= this.#own.burst / 2) this.#refusals = 0;
    if (left < 1) return ++this.#refusals > REFUSALS_MAX ? 'over' : 'refused';
    this.#own.take(frames);
    return 'ok';
  }
}
