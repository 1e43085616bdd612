/**
 * Redlock: who should run a session. Safety rests on the fence (ADR 1).
 *
 * `own-locks.ts` has it in the data Redis, `quorum-locks.ts` at a majority of independent masters; `members.ts` opens
 * and watches those.
 * Not here: leases, which only `turn-begin` makes of a Redlock.
 */
export {};
