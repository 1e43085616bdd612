/**
 * What a run of a cluster leaves behind, as plain JSON: everything that clients, agents and dashboards
 * saw, and what was done to the nodes. Times are milliseconds of one monotonic clock of the recorder.
 *
 * A session id stands for one life of a session: one that was deleted and begun anew is recorded under
 * another name, since its log begins again at 1.
 */
export type Mode = 'enqueue' | 'collect' | 'interrupt' | 'reject';

export type SentMessage = {
  readonly session: string;
  readonly messageId: string;
  readonly mode: Mode;
  readonly atMs: number;
};

/** `seq` is null for a repeat, whose acknowledgement is not of the log. */
export type Acknowledgement = {
  readonly session: string;
  readonly messageId: string;
  readonly seq: number | null;
  readonly position: number;
  readonly mode: Mode;
  readonly atMs: number;
};

/** An event of the log as one connection got it, live or replayed. */
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

/** One connection; those of one client stand in the order in which they were opened. */
export type View = {
  readonly session: string;
  readonly client: string;
  readonly connection: string;
  /** The cursor it attached with; null: none, so that it begins wherever the node begins. */
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
  /** When it was answered or its connection closed; null: neither until the end. */
  readonly endMs: number | null;
  readonly closedByPeer: boolean;
};

/** `drain`: others could take over; `shutdown`: all were told to stop at once. */
export type FaultKind = 'drain' | 'shutdown' | 'kill' | 'stop' | 'redis' | 'cut';

export type Fault = {
  readonly kind: FaultKind;
  /** Null when it concerns all of them. */
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

/** A turn that a draining node was seen to cut. */
export type ForcedClose = {
  readonly session: string;
  readonly fence: number;
  readonly node: string;
  readonly atMs: number;
};

/** When a drained node cut what it still ran: from its deadline to the end of its process. */
export type Cutting = { readonly startMs: number; readonly endMs: number };

/** A hand-over as the node told it that went on: `pauseMs` is measured by the clock of Redis. */
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
  /** An outcome before that of a message which it should follow. */
  | 'reordered'
  /** An outcome of a message that nobody sent. */
  | 'unknown'
  /** A connection missed events. */
  | 'gap'
  /** A connection got an event again or an older one. */
  | 'repeat'
  /** Two connections got different events under one number. */
  | 'conflict'
  /** What was streamed is not what was replied. */
  | 'garbled'
  | 'overlap'
  /** A forced close without SESSION_END, with two, and SESSION_END without a forced close. */
  | 'end_missing'
  | 'end_doubled'
  | 'end_unexpected';

export type Finding = {
  readonly kind: FindingKind;
  readonly session: string;
  readonly detail: string;
};
