/**
 * The worker role: takes rings, holds leases, runs turns. `worker.ts` builds it, `drain.ts` empties it.
 *
 * Rooms, each importing only from those before it: gates, held, turns. `run-session.ts` goes from a ring to the
 * last turn.
 * Every write under a lease passes its fence in Redis; nothing here decides alone that it still holds a session
 * (L1 to L6).
 * Not here: anything of `edge/`. The two roles meet only in Redis.
 */
export {};
