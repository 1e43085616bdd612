import { copyKey, digestOf, type Fields, fieldsAt, type Kind, stageHash } from './pieces.js';
import { notSuperseded, type Place } from './place.js';
import * as scripts from './scripts-migrate.js';

/** Both ends of a move, and the run that does it. */
export type Ends = {
  readonly from: Place;
  readonly to: Place;
  readonly run: string;
  /** Sessions were closed at the source, and lie under the names of closed keys. */
  readonly isSealed: boolean;
};

/** Keys of a session beside its state, each with its type. */
export const contents = {
  inbox: 'list',
  events: 'stream',
  messages: 'list',
  seen: 'zset',
} as const;
const contentKinds = Object.entries(contents) as [keyof typeof contents, Kind][];

/** Tries to read a session at one moment; one that changes all the time is left for when it is closed. */
const TRIES = 3;
/** Expiries of both ends may differ by this much: each is counted from when it was read. */
const TTL_SLACK_MS = 1_000;

export type Facts = {
  readonly state: Fields;
  readonly ttlMs: number;
  /** Scores in the listings; '' when it is in none. */
  readonly active: string;
  readonly ownedActive: string;
};

/** A session at the source. Every script that changes a key of it changes its state as well. */
export async function factsOf({ from, isSealed }: Ends, id: string): Promise<Facts> {
  const keys = from.keys.session(id);
  const [record, sessions] = isSealed
    ? [from.keys.sealed(keys.state), from.keys.sealed(keys.sessions)]
    : [keys.state, keys.sessions];
  const [state, [ttlMs, active, ownedActive]] = await Promise.all([
    fieldsAt(from, record),
    from.ask(record, (client) =>
      Promise.all([
        client.pttl(record),
        client.zscore(sessions, id),
        client.zscore(keys.owned, id),
      ]),
    ),
  ]);
  return { state, ttlMs, active: active ?? '', ownedActive: ownedActive ?? '' };
}

/** Nobody holds a session where it arrives, so that the end of its lease is another there. */
export function isSameState(a: Fields, b: Fields): boolean {
  const compared = [...a].filter(([name]) => name !== 'lease_until');
  const hasAll = compared.every(([name, value]) => b.get(name)?.equals(value) ?? false);
  return hasAll && compared.length === b.size - (b.has('lease_until') ? 1 : 0);
}

/** Each change of inbox, log, history and ids logs an event, so that these four tell whether anything has changed. */
const hasSameContents = (a: Fields, b: Fields) =>
  ['created_at', 'epoch', 'cursor', 'bytes'].every((name) => {
    const value = a.get(name);
    return value !== undefined && (b.get(name)?.equals(value) ?? false);
  });

export type Copied =
  | { readonly kind: 'gone' | 'same' | 'busy' }
  | { readonly kind: 'copied'; readonly bytes: number };

/** Copies a session unless the target has it as it is. It arrives whole, and as it was at one moment. */
export async function copySession(ends: Ends, id: string): Promise<Copied> {
  const { to } = ends;
  const target = to.keys.session(id);
  for (let tried = 0; tried < TRIES; tried++) {
    const [facts, known] = await Promise.all([factsOf(ends, id), fieldsAt(to, target.state)]);
    if (facts.state.size === 0) return { kind: 'gone' };
    const isSame = isSameState(facts.state, known);
    if (isSame && (!ends.isSealed || (await hasSameExpiry(to, target.state, facts.ttlMs)))) {
      return { kind: 'same' };
    }
    const isWhole = !hasSameContents(facts.state, known);
    const bytes = isWhole ? await stageContents(ends, id) : 0;
    const after = await factsOf(ends, id);
    if (!isSameState(facts.state, after.state)) {
      if (after.state.size > 0) continue; // it has changed meanwhile
      return { kind: 'gone' };
    }
    await arrive(ends, id, { facts: after, isWhole });
    return { kind: 'copied', bytes };
  }
  return { kind: 'busy' };
}

async function hasSameExpiry(to: Place, key: string, ttlMs: number): Promise<boolean> {
  const there = await to.ask(key, (client) => client.pttl(key));
  if (ttlMs === -1 || there === -1) return ttlMs === there;
  return Math.abs(ttlMs - there) <= TTL_SLACK_MS;
}

/** Copies everything but the state to names of this run. Returns the number of bytes. */
async function stageContents({ from, to, run }: Ends, id: string): Promise<number> {
  const source = from.keys.session(id);
  const staged = to.keys.staged(id, run);
  const copies = contentKinds.map(async ([name, kind]) => {
    const key = staged[`staged_${name}`];
    await to.ask(key, (client) => client.unlink(key)); // of a try before
    const copied = await copyKey({ place: from, key: source[name], kind }, { place: to, key });
    if (copied) return copied.bytes;
    throw new Error(`the copy of ${source[name]} differs from what was read: run it again`);
  });
  return (await Promise.all(copies)).reduce((sum, bytes) => sum + bytes, 0);
}

type Arriving = { readonly facts: Facts; readonly isWhole: boolean };

async function arrive({ to, run }: Ends, id: string, { facts, isWhole }: Arriving): Promise<void> {
  const { state: record, ...target } = to.keys.session(id);
  const staged = to.keys.staged(id, run);
  await stageHash(to, staged.staged, facts.state);
  const { move } = to.keys.partition(to.keys.partitionOf(id));
  const word = await to.run(
    scripts.sessionArrive,
    { ...target, ...staged, record, move },
    {
      ...{ run, id, ttl: facts.ttlMs, whole: isWhole ? 1 : 0 },
      ...{ active: facts.active, owned_active: facts.ownedActive },
    },
  );
  // `lost`: the reply of the first try was lost, or the copy lay about for so long that it expired.
  if (notSuperseded(word) === 'lost' && !isSameState(facts.state, await fieldsAt(to, record))) {
    throw new Error(`the copy of session ${id} took too long: run it again`);
  }
}

export type Compared = 'gone' | 'same' | 'missing' | 'different' | 'busy';

/** Compares every byte of a session at both ends. */
export async function compareSession(ends: Ends, id: string): Promise<Compared> {
  const { from, to } = ends;
  const target = to.keys.session(id);
  const [facts, known] = await Promise.all([factsOf(ends, id), fieldsAt(to, target.state)]);
  if (facts.state.size === 0) return 'gone';
  if (known.size === 0) return 'missing';
  const source = from.keys.session(id);
  const pairs = contentKinds.map(async ([name, kind]) => {
    const [a, b] = await Promise.all([
      digestOf({ place: from, key: source[name], kind }),
      digestOf({ place: to, key: target[name], kind }),
    ]);
    return a.sha === b.sha;
  });
  const areSame = (await Promise.all(pairs)).every(Boolean) && isSameState(facts.state, known);
  if (areSame) return 'same';
  const after = await factsOf(ends, id);
  return isSameState(facts.state, after.state) ? 'different' : 'busy';
}

/** Closes a session at the source, so that nothing of it changes any more. */
export async function sealSession(ends: Ends, id: string, mark: string): Promise<scripts.Sealed> {
  const { from, run } = ends;
  const { state: record, lease } = from.keys.session(id);
  const { move } = from.keys.partition(from.keys.partitionOf(id));
  const names = { move, record, sealed: from.keys.sealed(record), lease };
  const answer = await from.run(scripts.sessionSeal, names, { run, mark });
  notSuperseded(answer.kind);
  return answer;
}
