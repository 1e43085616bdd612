import type { Bucket, DrawReply } from '@sluice/store';

/** `retryAfterMs` is when the next one may pass, as far as is known. */
export type Admittance =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

/** One kind of limit, for all its subjects. */
export type RateLimit = {
  /**
   * Takes what the request costs, one token unless it is told. Decides at once while tokens are held here;
   * throws StoreUnavailable when Redis cannot be asked.
   */
  take(subject: string, cost?: number): Admittance | Promise<Admittance>;
  /** Takes what turned out to be due, also below zero: what comes next waits for it. */
  charge(subject: string, cost: number): void;
  /** How long nothing can be had, as far as is known here; 0: something may be. Asks nobody. */
  emptyForMs(subject: string): number;
  /** How long what was charged takes to be paid; 0: nothing is owed. Asks nobody. */
  owesForMs(subject: string): number;
};

export const unlimited: RateLimit = {
  take: () => ({ kind: 'admitted' }),
  charge() {},
  emptyForMs: () => 0,
  owesForMs: () => 0,
};

/** What was asked for in so many ms is what the next portion must cover. */
const WINDOW_MS = 100;
/** A portion that was drawn for a rush is kept so long; what one may always hold, longer. */
const RUSH_KEPT_MS = 500;
const SPARE_KEPT_MS = 60_000;
/** Share of the burst that all nodes together may hold without using it (X5: 10 %). */
const SPARE_SHARE = 0.1;
/** Principals or addresses with a portion here; the one that drew longest ago loses its own. */
const SUBJECTS_MAX = 10_000;

type Portion = {
  /** Below zero: charged behind the fact, and still to be drawn. */
  left: number;
  drawnMs: number;
  /** Until then nothing can be drawn. */
  emptyUntilMs: number;
  drawing: Promise<void> | undefined;
  /** Asked for in the window that began at `windowMs`, and in the one before. */
  asked: number;
  askedBefore: number;
  windowMs: number;
};

export type RateLimitOptions = {
  readonly bucket: Bucket;
  draw(subject: string, want: number): Promise<DrawReply>;
  /** Nodes of the cluster that beat, this one included. */
  liveNodes(): number;
  nowMs(): number;
};

/**
 * Holds a limit for the whole cluster without asking Redis for each message: a node draws tokens in
 * portions, as many as the last 100 ms needed. No token is used twice, so that never more passes than
 * the bucket gives; what lies unused on some node when a burst begins comes on top, and is at most a
 * tenth of the burst on all nodes together, or one token on each.
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

  /** undefined: only Redis knows. */
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
      const decided = decide(portion, cost); // undefined: others were first
      if (decided) return decided;
    }
  }

  function portionOf(subject: string): Portion {
    const known = portions.get(subject);
    if (known) return known;
    const portion = emptyPortion();
    putLast(subject, portion); // bounded also while nothing can be drawn
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
      if (portion.drawnMs === 0) portion.drawnMs = nowMs(); // else the debt would fade at once
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
      // What has come in since the last draw is in the bucket, and pays for it.
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
