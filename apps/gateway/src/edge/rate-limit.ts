import type { Bucket, DrawReply } from '@sluice/store';

/** `retryAfterMs` is when the next one may pass, as far as is known. */
export type Admittance =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

/** Decides at once while tokens are held here; throws StoreUnavailable when Redis cannot be asked. */
export type RateLimit = (subject: string) => Admittance | Promise<Admittance>;

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

  async function refill(subject: string, portion: Portion): Promise<void> {
    const needed = Math.max(portion.asked, portion.askedBefore);
    const want = Math.max(spareMax(), Math.min(needed, rushMax));
    const { tokens, waitMs } = await draw(subject, want);
    portion.left = tokens;
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

  /** undefined: only Redis knows. */
  function decide(portion: Portion): Admittance | undefined {
    const now = nowMs();
    const age = now - portion.drawnMs;
    if (age > SPARE_KEPT_MS) portion.left = 0;
    else if (age > RUSH_KEPT_MS) portion.left = Math.min(portion.left, spareMax());
    if (portion.left > 0) {
      portion.left--;
      return { kind: 'admitted' };
    }
    const retryAfterMs = portion.emptyUntilMs - now;
    return retryAfterMs > 0 ? { kind: 'refused', retryAfterMs } : undefined;
  }

  async function ask(subject: string, portion: Portion): Promise<Admittance> {
    for (;;) {
      portion.drawing ??= refill(subject, portion).finally(() => {
        portion.drawing = undefined;
      });
      await portion.drawing;
      const decided = decide(portion); // undefined: others were first
      if (decided) return decided;
    }
  }

  return (subject) => {
    const known = portions.get(subject);
    const portion = known ?? emptyPortion();
    if (!known) putLast(subject, portion); // bounded also while nothing can be drawn
    count(portion, nowMs());
    return decide(portion) ?? ask(subject, portion);
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

function count(portion: Portion, now: number): void {
  const age = now - portion.windowMs;
  if (age >= WINDOW_MS) {
    portion.askedBefore = age < 2 * WINDOW_MS ? portion.asked : 0;
    portion.asked = 0;
    portion.windowMs = now;
  }
  portion.asked++;
}
