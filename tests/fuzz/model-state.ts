export type Mode = 'enqueue' | 'collect' | 'interrupt' | 'reject';
export type How = 'yield' | 'hand_over' | 'force';
/** Why an attempt is repeated: the agent says that its failure will pass, or its process died. */
export type Ended = 'failed' | 'cut';

export type Entry = { readonly id: string; readonly mode: Mode; readonly position: number };

/** An event of the log: its letter, the message, and the outcome of that. */
export type ModelEvent = readonly string[];

/** The answer of a call: its word, and the fields that can be predicted. */
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
  /** Attempts that the death of a process or a node ended. */
  cuts: 0,
  /** The head is tried again: not yet (`later`), or by the next node that takes it (`due`). */
  retry: 'none' as 'none' | 'later' | 'due',
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
  released: undefined as
    | (Presented & { readonly ring: string; readonly isHanded: boolean })
    | undefined,
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

/** How the next start of the head counts. */
export function nextAttempt(s: ReturnType<typeof fresh>) {
  const { started, attempt, word, isHanded, handOvers, retry } = s;
  if (started === 0) return { attempt: 1, cuts: 0, word: 'begun' };
  const isHandedTooOften = handOvers > modelLimits.maxHandOvers;
  if (word === 'exhausted' || (isHanded && !isHandedTooOften)) {
    return { attempt, cuts: s.cuts, word };
  }
  const cuts = s.cuts + (retry === 'none' ? 1 : 0);
  if (cuts < modelLimits.maxAttempts) return { attempt: attempt + 1, cuts, word: 'begun' };
  if (word === 'alone' || isHandedTooOften) return { attempt, cuts, word: 'exhausted' };
  return { attempt: attempt + 1, cuts, word: 'alone' };
}

type State = ReturnType<typeof fresh>;

/** Starts the first attempt of the next head. */
export function startHead(s: State, turnId: string): void {
  const end = s.inbox.findIndex(({ mode }) => mode !== 'collect');
  const run = end < 0 ? s.inbox.length : end;
  s.started = Math.max(1, Math.min(run, modelLimits.batchMax));
  Object.assign(s, { attempt: 1, cuts: 0, word: 'begun', retry: 'none', turnId, delta: 0 });
}

/** The started head has its outcome, or counts as not begun. */
export function clearHead(s: State): void {
  const none = { started: 0, attempt: 0, abort: '', handOvers: 0, isHanded: false };
  Object.assign(s, none, { turnId: undefined, word: '', cuts: 0, retry: 'none' });
}
