/**
 * What concerns the cluster as a whole: beats of nodes, pauses, rates, the version of the layout, gauges.
 *
 * Keys here have no session in their name. A call touches one partition, or is told to touch each (`pauses.ts`).
 * Not here: who acts on it; the gateway does.
 */
export {};
