import { monotonicMs } from '@sluice/runtime';
import type { Open } from './open.js';
import type { Connection } from './socket/connection.js';
import { closeMoved, reconnectAfterMs, tellGoingAway } from './socket/going-away.js';

/** Of the age, in both directions: what came at once, behind a restart, does not go at once. */
const JITTER = 0.1;
/** So many looks per age: nobody is noticed later than that part of it. */
const LOOKS_PER_AGE = 100;
const LOOK_MS_MIN = 20;
const LOOK_MS_MAX = 1_000;
/** From `going_away` to the close: time to finish what is being sent. */
const CLOSE_AFTER_MS = 500;
/** A call to Redis under way is answered first; one that takes longer is a call nobody waits for. */
const ANSWER_MS_MAX = 5_000;

/** Counted from the first look. `told`: closed when nothing of it is under way, at `latestMs` in any case. */
type Age =
  | { readonly kind: 'staying'; readonly untilMs: number }
  | { readonly kind: 'told'; readonly closeMs: number; readonly latestMs: number };

/**
 * Moves connections and streams of events that are older than `maxAgeMs`, so that nodes which came
 * later get their share (`gateway.max_connection_age`). One timer for all of them; a draining node
 * leaves it to the drain. Streams need no telling: their reader comes back where it was by itself.
 */
export function startRebalance(
  { context, connections, streams }: Open,
  maxAgeMs: number,
): NodeJS.Timeout {
  const ages = new WeakMap<object, Age>();
  const ageOf = (one: object, nowMs: number): Age => {
    const known = ages.get(one);
    if (known) return known;
    const stayMs = maxAgeMs * (1 + JITTER * (2 * Math.random() - 1));
    const age = { kind: 'staying', untilMs: nowMs + stayMs } as const;
    ages.set(one, age);
    return age;
  };

  const look = () => {
    if (context.isDraining()) return;
    const nowMs = monotonicMs();
    for (const connection of connections) {
      const age = ageOf(connection, nowMs);
      if (age.kind === 'told') {
        const isDue = nowMs >= age.closeMs && !isBusy(connection);
        if (isDue || nowMs >= age.latestMs) closeMoved(context, connection);
      } else if (nowMs >= age.untilMs) {
        const closeMs = nowMs + CLOSE_AFTER_MS;
        ages.set(connection, { kind: 'told', closeMs, latestMs: closeMs + ANSWER_MS_MAX });
        tellGoingAway(connection, 'rebalance');
      }
    }
    for (const stream of streams) {
      const age = ageOf(stream, nowMs);
      if (age.kind === 'staying' && nowMs >= age.untilMs) stream.end(reconnectAfterMs());
    }
  };
  return setInterval(look, Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, maxAgeMs / LOOKS_PER_AGE)));
}

/** A frame of it is being answered: closed now, its client would have to ask again. */
const isBusy = ({ state, calls, settling }: Connection) =>
  state.kind === 'attaching' || calls.waiting > 0 || settling !== undefined;
