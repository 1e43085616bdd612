/**
 * This process among others: its beats and who else beats, signals, the last words, the summary line.
 *
 * `presence.ts` is the one place that knows which nodes live; it asks the store's `cluster/nodes`.
 * Not here: leases and sessions. Whether a holder lives is judged by its lease, in Redis (`packages/store`).
 */
export {};
