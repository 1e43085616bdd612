/**
 * The same connections to a Redis Cluster: one set for each master, and calls, channels and waits that go to the
 * master which has their key (ADR 33).
 *
 * `topology.ts` knows who serves which slot, `masters.ts` opens and closes the connections to each master.
 * Not here: what is asked; a master is a `Server` like the one Redis.
 */
export {};
