/** A connection that has not said `hello` has nothing to say: pings, and what follows a `hello` at once. */
const BEFORE_HELLO = { burst: 100, perSecond: 10 };
/** A long frame costs as many as it has of these. */
const FRAME_BYTES = 16 * 1024;
/** What a frame costs beside itself that a limit refuses: whoever goes on all the same is slowed, then closed. */
const REFUSED_FRAMES = 10;
/** Answered so often with `rate_limited`, then the connection is closed. */
const REFUSALS_MAX = 10;

/** 'over': it was refused often enough. */
export type Paced = 'ok' | 'refused' | 'over';

/**
 * What one connection may send: frames of any kind, WebSocket pings and pongs too. Decided here, without
 * Redis: it bounds what a peer can cost this node before it is known who pays. The library hands over
 * up to 512 KiB of one socket in one go, 80,000 pings, and cannot be made to wait: so whoever goes on
 * is closed.
 */
export class FramePace {
  #burst: number;
  #perSecond: number;
  #level: number;
  #atMs: number;
  #refusals = 0;

  /** `framesPerSecond` 0: no limit. Twice as many may come at once. */
  constructor(
    private readonly framesPerSecond: number,
    private readonly nowMs: () => number,
  ) {
    this.#burst = Math.min(BEFORE_HELLO.burst, 2 * framesPerSecond);
    this.#perSecond = Math.min(BEFORE_HELLO.perSecond, framesPerSecond);
    this.#level = this.#burst;
    this.#atMs = nowMs();
  }

  /** The first `hello` opens the whole limit, once: what it costs is limited per principal. */
  saidHello(): void {
    const burst = 2 * this.framesPerSecond;
    this.#level += burst - this.#burst;
    this.#burst = burst;
    this.#perSecond = this.framesPerSecond;
  }

  /** A frame that was taken is refused by another limit, of its principal or of what may be under way. */
  wasRefused(): void {
    if (this.#level > 0) this.#level -= REFUSED_FRAMES;
  }

  take(bytes: number): Paced {
    if (this.framesPerSecond === 0) return 'ok';
    const now = this.nowMs();
    const gained = ((now - this.#atMs) / 1_000) * this.#perSecond;
    this.#level = Math.min(this.#burst, this.#level + gained);
    this.#atMs = now;
    if (this.#level >= this.#burst / 2) this.#refusals = 0;
    if (this.#level < 1) return ++this.#refusals > REFUSALS_MAX ? 'over' : 'refused';
    this.#level -= 1 + Math.floor(bytes / FRAME_BYTES);
    return 'ok';
  }
}
