/**
 * What a turn has to wait for: a slot of this node, permits of the cluster, its turn after a last attempt.
 *
 * Order for a ring: a slot, its place among last attempts, permits, then the lease; for a wake, which has a lease: a
 * slot, then permits. Those in line for a slot are served in the order of waiting (T8).
 * Here too: how fast deltas may be written (`delta-pace.ts`).
 * Not here: leases. A gate never knows a session's content.
 */
export {};
