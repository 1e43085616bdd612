/**
 * What concerns the cluster as a whole: beats of nodes, pauses, rates, the version of the layout, gauges.
 *
 * Keys here have no session in their name. A call touches one partition, or each of them (`pauses.ts`).
 * Not here: acting on it; the gateway does.
 */
export {};
