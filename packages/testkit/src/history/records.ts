/**
 * The record of a run of a cluster, as plain JSON: everything that clients, agents and dashboards saw, and
 * what was done to the nodes. Times are milliseconds of one monotonic clock of the recorder.
 *
 * A session that was deleted and begun again is recorded under another name, since its log begins again
 * at 1.
 */
export type Mode = 'enqueue' | 'collect' | 'interrupt' | 'reject';

export type SentMessage = {
  readonly session: string;
  readonly messageId: string;
  readonly mode: Mode;
  readonly atMs: number;
};

/** `seq` is null for a repeat, whose acknowledgement is not in the log. */
export type Acknowledgement = {
  readonly session: string;
  readonly messageId: string;
  readonly seq: number | null;
  readonly position: number;
  readonly mode: Mode;
  readonly atMs: number;
};

/** An event of the log, as one connection got it, live or replayed. */
export type EventFrame = {
  readonly kind: 'event';
  readonly seq: number;
  /** Only where the frame carried one. */
  readonly epoch?: string;
  readonly skipped: number;
  readonly replay: boolean;
  readonly type: string;
  /** `accepted` or `final`. */
  readonly status?: string;
  readonly messageId?: string;
  readonly turnId?: string;
  /** How the message ended: `ok`, `error`, `aborted` ... */
  readonly outcome?: string;
  /** Text of a delta or of a reply. */
  readonly text?: string;
};

/** Moves the position of the connection that got it. */
export type SnapshotFrame = {
  readonly kind: 'snapshot';
  readonly seq: number;
  readonly epoch: string;
};

/** One connection; the connections of one client are in the order in which they were opened. */
export type View = {
  readonly session: string;
  readonly client: string;
  readonly connection: string;
  /** The cursor with which it attached; null: none, so that the node decides where it begins. */
  readonly since: number | null;
  readonly epoch: string;
  readonly frames: readonly (EventFrame | SnapshotFrame)[];
};

/** One request at the agent. */
export type Turn = {
  readonly session: string;
  readonly messageId: string;
  readonly turnId: string;
  readonly attempt: number;
  readonly fence: number;
  /** Which node sent it. */
  readonly node: string;
  readonly startMs: number;
  /** When it was answered or its connection closed; null: neither before the end of the run. */
  readonly endMs: number | null;
  readonly closedByPeer: boolean;
};

/** `drain`: others could take over; `shutdown`: all were told to stop at once. */
export type FaultKind = 'drain' | 'shutdown' | 'kill' | 'stop' | 'redis' | 'cut';

export type Fault = {
  readonly kind: FaultKind;
  /** Null: all nodes. */
  readonly node: string | null;
  readonly startMs: number;
  /** The end of the process that was drained or killed, SIGCONT, Redis back. */
  readonly endMs: number;
};

/** An entry of the stream of session ends. */
export type SessionEnd = {
  readonly session: string;
  readonly eventId: string;
  readonly fence: number;
  readonly reasonCode: string;
  readonly atMs: number;
};

/** A turn that a draining node cut, seen at the agent. */
export type ForcedClose = {
  readonly session: string;
  readonly fence: number;
  readonly node: string;
  readonly atMs: number;
};

/** The time in which a draining node cut its turns: from its deadline to the end of its process. */
export type Cutting = { readonly startMs: number; readonly endMs: number };

/** A hand-over, from the log of the node that took over; `pauseMs` is by the clock of Redis. */
export type HandOver = {
  readonly session: string;
  readonly atMs: number;
  readonly pauseMs: number;
};

export type History = {
  readonly leaseTtlMs: number;
  readonly cuttings: readonly Cutting[];
  readonly sent: readonly SentMessage[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly views: readonly View[];
  readonly turns: readonly Turn[];
  readonly faults: readonly Fault[];
  readonly ends: readonly SessionEnd[];
  readonly forcedCloses: readonly ForcedClose[];
  readonly handOvers: readonly HandOver[];
};

export type FindingKind =
  /** Acknowledged and without an outcome. */
  | 'lost'
  /** More than one outcome for a message. */
  | 'doubled'
  /** An outcome came before the outcome of an earlier message. */
  | 'reordered'
  /** An outcome of a message that nobody sent. */
  | 'unknown'
  /** A connection missed events. */
  | 'gap'
  /** A connection got an event again or an older one. */
  | 'repeat'
  /** Two connections got different events under one number. */
  | 'conflict'
  /** The streamed text is not the reply. */
  | 'garbled'
  | 'overlap'
  /** A forced close without SESSION_END, one with two, and a SESSION_END without a forced close. */
  | 'end_missing'
  | 'end_doubled'
  | 'end_unexpected';

export type Finding = {
  readonly kind: FindingKind;
  readonly session: string;
  readonly detail: string;
};
