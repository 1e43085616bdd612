export type Mode = 'enqueue' | 'collect' | 'interrupt' | 'reject';
export type How = 'idle' | 'yield' | 'hand_over' | 'force';

export type Entry = { readonly id: string; readonly mode: Mode };

/** An event of the log: its letter, the message, and how that ended. */
export type ModelEvent = readonly string[];

/** What a call answers: its word, and what of the rest can be foretold. */
export type Answer = { readonly word: string; readonly [field: string]: unknown };

/** What a holder presents; `fence` counts leases from 1. */
export type Presented = { readonly token: string; readonly fence: number };

export const modelLimits = {
  maxAttempts: 3,
  maxHandOvers: 2,
  batchMax: 32,
  abortsKept: 16,
} as const;

/** Hears what is published to it; every other node is deaf. */
export const HEARING_NODE = 'n0';

export type Answered = { readonly call: string; readonly answer: Answer };

/** Fields of a session that a new one under the same id does not inherit. */
export const fresh = () => ({
  inbox: [] as Entry[],
  /** Messages of the started head; 0: none is started. */
  started: 0,
  attempt: 0,
  word: '',
  turnId: undefined as string | undefined,
  lastTurn: undefined as string | undefined,
  delta: 0,
  abort: '',
  isHanded: false,
  handOvers: 0,
  token: undefined as string | undefined,
  holder: undefined as string | undefined,
  fence: 0,
  /** `lease_until` has not passed. */
  isLive: false,
  leaseKey: undefined as string | undefined,
  released: undefined as (Presented & { readonly answer: Answer }) | undefined,
  ring: 0,
  ringMark: undefined as number | undefined,
  /** Accepted ids, with the outcome or '' while they wait. */
  seen: new Map<string, string>(),
  events: [] as ModelEvent[],
  isEnded: false,
  /** Pauses and their ends: odd while one holds. */
  pauses: 0,
  /** The call that was accepted last, and the one that drew a ring. */
  accepted: undefined as Answered | undefined,
  drawn: undefined as Answered | undefined,
  /** Aborts, the newest first: a repeat gets its first answer. */
  aborts: [] as Answered[],
});

export const fenced: Answer = { word: 'fenced' };

/** Which session was seen, and how often it was paused and resumed. */
export type Known = { readonly s: object; readonly pauses: number };
