import { monotonicMs } from '@sluice/runtime';
import type { Open } from './open.js';
import type { Connection } from './socket/connection.js';
import { closeMoved, reconnectAfterMs, tellGoingAway } from './socket/going-away.js';

/** Share of the age, in both directions: connections that came together, as after a restart, do not go together. */
const JITTER = 0.1;
/** Looks per maximum age: a connection is moved at most 1/100 of its age late. */
const LOOKS_PER_AGE = 100;
const LOOK_MS_MIN = 20;
const LOOK_MS_MAX = 1_000;
/** From `going_away` to the close: time to finish what is being sent. */
const CLOSE_AFTER_MS = 500;
/** A call to Redis that is under way is answered first; this is the most that it may take. */
const ANSWER_MS_MAX = 5_000;

/** The age counts from the first look. `told`: closed once no answer is under way, at `latestMs` in any case. */
type Age =
  | { readonly kind: 'staying'; readonly untilMs: number }
  | { readonly kind: 'told'; readonly closeMs: number; readonly latestMs: number };

/**
 * Moves connections and streams of events that are older than `maxAgeMs`, so that nodes that came later get their
 * share (`gateway.max_connection_age`). One timer for all of them; on a draining node the drain does it. Streams are
 * ended without notice: their readers come back by themselves, at their place.
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

/** A frame is being answered: if the connection were closed now, its client would have to ask again. */
const isBusy = ({ state, calls, settling }: Connection) =>
  state.kind === 'attaching' || calls.waiting > 0 || settling !== undefined;
