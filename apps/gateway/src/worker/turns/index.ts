/**
 * Running turns: from a head of the inbox to its commit, one after the other.
 *
 * `turn-loop.ts` runs heads until nothing waits; `run-turn.ts` runs the agent once, with its timeout and its stop.
 * `delta-buffer.ts` gathers what streams; `retry.ts` decides whether a failure is tried again (T5).
 * Not here: taking or giving up leases.
 */
export {};
