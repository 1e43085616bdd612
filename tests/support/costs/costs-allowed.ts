/** What is counted for each of the rows below. */
export type Counted = {
  /** Commands that Redis ran, those within scripts included. */
  readonly commands: number;
  /** Scripts that a node called. */
  readonly calls: number;
  /** Calls of JSON.parse and JSON.stringify in the node. */
  readonly parse: number;
  readonly stringify: number;
};

/**
 * The most that each may cost: what was measured when the row was last set, and a tenth more. A change that makes
 * one cheaper lowers its row; a change that raises one says why.
 */
export const allowed = {
  /** A message to a session whose holder lingers, to its outcome. */
  'warm turn': { commands: 27.6, calls: 2.3, parse: 2.4, stringify: 5.6 },
  /** The same when nobody holds the session: ring, lease, turn, and the lease given up. */
  'cold turn': { commands: 114, calls: 8.9, parse: 6.8, stringify: 12.4 },
  /** A delta that is logged and delivered to one reader; where the machine is busy, some are gathered. */
  delta: { commands: 6.9, calls: 1.2, parse: 0.4, stringify: 2.2 },
  /** A connection that attaches to a session nobody else reads here, and reads two events. */
  attach: { commands: 21.8, calls: 1.4, parse: 1.2, stringify: 3.4 },
  /** A lease under which no turn runs, one of 75 in its partition; with what a node does beside it. */
  'idle renewal': { commands: 6, calls: 0.1, parse: 0.1, stringify: 0.1 },
} as const satisfies Readonly<Record<string, Counted>>;

/** Bytes of Redis of an idle session of 20 messages and 20 replies of about 50 characters, ids of 36. */
export const SESSION_BYTES_MAX = 10_700;
