import type { Bucket, DrawReply } from '@sluice/store';

/** `retryAfterMs`: when the next one may pass, as far as is known here. */
export type Admittance =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

/** One kind of limit, for all its subjects. */
export type RateLimit = {
  /**
   * Takes the cost of a request; default: one token. Decides at once while tokens are held here; else rejects with
   * StoreUnavailable when Redis cannot be asked.
   */
  take(subject: string, cost?: number): Admittance | Promise<Admittance>;
  /** Takes a cost that is known only afterwards, also below zero: later requests wait for it. */
  charge(subject: string, cost: number): void;
  /** How long there are no tokens, as far as is known here; 0: there may be some. Does not ask Redis. */
  emptyForMs(subject: string): number;
  /** How long it takes until charged costs are paid; 0: nothing is owed. Does not ask Redis. */
  owesForMs(subject: string): number;
};

export const unlimited: RateLimit = {
  take: () => ({ kind: 'admitted' }),
  charge() {},
  emptyForMs: () => 0,
  owesForMs: () => 0,
};

/** Demand is measured over this window; the next portion covers that much. */
const WINDOW_MS = 100;
/** Unused tokens of a large portion are dropped after this time. */
const RUSH_KEPT_MS = 500;
/** Those that a node may always hold are kept for this time. */
const SPARE_KEPT_MS = 60_000;
/** Share of the burst that all nodes together may hold without using it (X5: 10 %). */
const SPARE_SHARE = 0.1;
/** Principals or addresses with a portion here; beyond it the one that drew longest ago loses its portion. */
const SUBJECTS_MAX = 10_000;

type Portion = {
  /** Tokens; below zero: charged afterwards, and still to be drawn. */
  left: number;
  drawnMs: number;
  /** Until then nothing can be drawn. */
  emptyUntilMs: number;
  drawing: Promise<void> | undefined;
  /** Tokens that were asked for in the window that began at `windowMs`, and in the one before. */
  asked: number;
  askedBefore: number;
  windowMs: number;
};

export type RateLimitOptions = {
  readonly bucket: Bucket;
  draw(subject: string, want: number): Promise<DrawReply>;
  /** How many nodes of the cluster beat, this one included. */
  liveNodes(): number;
  nowMs(): number;
};

/**
 * Holds a limit for the whole cluster without asking Redis for each message: a node draws tokens in portions, as many
 * as the last 100 ms needed. No token is used twice, so no more passes than the bucket gives. On top come the tokens
 * that nodes still hold when a burst begins: at most a tenth of the burst on all nodes together, or one on each.
 */
export function makeRateLimit({ bucket, draw, liveNodes, nowMs }: RateLimitOptions): RateLimit {
  const portions = new Map<string, Portion>();
  const rushMax = Math.min(bucket.burst, Math.ceil((bucket.burst / bucket.fillMs) * WINDOW_MS));
  const spareMax = () =>
    Math.max(1, Math.floor((bucket.burst * SPARE_SHARE) / Math.max(1, liveNodes())));

  async function refill(subject: string, portion: Portion, cost: number): Promise<void> {
    const needed = Math.max(portion.asked, portion.askedBefore);
    const due = Math.min(bucket.burst, cost - portion.left);
    const want = Math.ceil(Math.max(spareMax(), Math.min(needed, rushMax), due));
    const { tokens, waitMs } = await draw(subject, want);
    portion.left += tokens;
    portion.drawnMs = nowMs();
    portion.emptyUntilMs = nowMs() + waitMs;
    putLast(subject, portion);
  }

  function putLast(subject: string, portion: Portion): void {
    portions.delete(subject);
    portions.set(subject, portion);
    const [oldest] = portions.keys();
    if (portions.size > SUBJECTS_MAX && oldest !== undefined) portions.delete(oldest);
  }

  function fade(portion: Portion): void {
    const age = nowMs() - portion.drawnMs;
    if (age > SPARE_KEPT_MS) portion.left = 0;
    else if (age > RUSH_KEPT_MS) portion.left = Math.min(portion.left, spareMax());
  }

  /** Decides with the tokens held here; undefined: Redis must be asked. */
  function decide(portion: Portion, cost: number): Admittance | undefined {
    fade(portion);
    if (portion.left >= cost) {
      portion.left -= cost;
      return { kind: 'admitted' };
    }
    const waitMs = portion.emptyUntilMs - nowMs();
    if (waitMs <= 0) return undefined;
    const fillMs = ((cost - portion.left) * bucket.fillMs) / bucket.burst;
    return { kind: 'refused', retryAfterMs: Math.max(waitMs, Math.min(fillMs, bucket.fillMs)) };
  }

  async function ask(subject: string, portion: Portion, cost: number): Promise<Admittance> {
    for (;;) {
      portion.drawing ??= refill(subject, portion, cost).finally(() => {
        portion.drawing = undefined;
      });
      await portion.drawing;
      const decided = decide(portion, cost); // undefined: others took the tokens first
      if (decided) return decided;
    }
  }

  function portionOf(subject: string): Portion {
    const known = portions.get(subject);
    if (known) return known;
    const portion = emptyPortion();
    putLast(subject, portion); // here too: a draw that fails bounds nothing
    return portion;
  }

  return {
    take(subject, asked = 1) {
      const cost = Math.min(asked, bucket.burst);
      const portion = portionOf(subject);
      count(portion, { now: nowMs(), cost });
      return decide(portion, cost) ?? ask(subject, portion, cost);
    },
    charge(subject, cost) {
      const portion = portionOf(subject);
      portion.left -= cost;
      if (portion.drawnMs === 0) portion.drawnMs = nowMs(); // or the debt would be dropped at once
    },
    emptyForMs(subject) {
      const portion = portions.get(subject);
      if (!portion) return 0;
      fade(portion);
      return portion.left > 0 ? 0 : Math.max(0, portion.emptyUntilMs - nowMs());
    },
    owesForMs(subject) {
      const portion = portions.get(subject);
      if (!portion) return 0;
      fade(portion);
      if (portion.left >= 0) return 0;
      // The tokens that the bucket has got since the last draw pay for it.
      const paidMs = nowMs() - portion.drawnMs;
      return Math.max(0, (-portion.left * bucket.fillMs) / bucket.burst - paidMs);
    },
  };
}

const emptyPortion = (): Portion => ({
  left: 0,
  drawnMs: 0,
  emptyUntilMs: 0,
  drawing: undefined,
  asked: 0,
  askedBefore: 0,
  windowMs: 0,
});

function count(portion: Portion, { now, cost }: { now: number; cost: number }): void {
  const age = now - portion.windowMs;
  if (age >= WINDOW_MS) {
    portion.askedBefore = age < 2 * WINDOW_MS ? portion.asked : 0;
    portion.asked = 0;
    portion.windowMs = now;
  }
  portion.asked += cost;
}
