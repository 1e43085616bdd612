/**
 * What a turn has to wait for: a slot of this node, permits of the cluster, its turn after a last attempt.
 *
 * Order: permits before the lease, a slot before the turn. Who waits is served in the order of waiting (T8).
 * Here too: how fast deltas may be written (`delta-pace.ts`).
 * Not here: leases. A gate never knows a session's content.
 */
export {};
