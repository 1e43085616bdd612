/**
 * The right to run a session: ring, fence, renewal, release, sweep.
 *
 * `lease.ts` has each call under a lease; `many-leases.ts` renews and releases many of one partition in one call
 * (ADR 19).
 * Each call presents fence and token, and the script refuses a stale one (L3).
 * Not here: Redlock (`locks/`), and when to renew or to let go; the worker decides.
 */
export {};
