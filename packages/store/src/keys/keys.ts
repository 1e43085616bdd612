import { createHash } from 'node:crypto';
import { remembered } from './remembered.js';

/** Whose turns are counted. */
export type PermitScope = { readonly kind: 'agent' | 'principal'; readonly name: string };

/** Keys of one session; all carry the hash tag of its partition. */
export type SessionKeys = ReturnType<Keys['session']>;

/** CRC16/XMODEM, the checksum that Redis Cluster uses for slots. */
export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc;
}

/** Number of slots of every Redis Cluster. */
export const SLOTS = 16_384;

const slotOfTag = remembered((tag) => crc16(tag) % SLOTS);

/** The slot of a key, by its hash tag if it has one. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return slotOfTag(close > open + 1 ? key.slice(open + 1, close) : key);
}

/**
 * A key in the slot of `key` that nobody ever writes. While a slot moves to another master, a call that names it
 * beside keys that exist is refused before it begins (TRYAGAIN).
 */
export function neverBeside(key: string): string {
  const open = key.indexOf('{');
  if (open < 0) return `${key.slice(0, key.lastIndexOf(':') + 1)}{${key}}:never`;
  return `${key.slice(0, key.indexOf('}', open) + 1)}:never`;
}

/** The first name that falls into each of `parts` equal shares of the slots. */
function spread(parts: number, name: (n: number) => string): string[] {
  return Array.from({ length: parts }, (_, part) => {
    for (let n = 0; ; n++) {
      const candidate = name(n);
      if (Math.floor((slotOf(candidate) * parts) / SLOTS) === part) return candidate;
    }
  });
}

const HASH_CHARS = 12;

/** First 12 characters of base64url(sha256(principal)): the namespace of a principal (X2). */
export const principalHash = remembered((principal) =>
  createHash('sha256').update(principal).digest('base64url').slice(0, HASH_CHARS),
);

/** Session id within its principal's namespace: what keys, rings and channels carry. */
export function sessionKeyId(principal: string, sessionId: string): string {
  return `${principalHash(principal)}.${sessionId}`;
}

/** What is limited: messages, new sessions and requests of a principal; upgrades and guesses of an address. */
export type RateKind = 'messages' | 'sessions' | 'requests' | 'upgrades' | 'unauthenticated';

/** Endings of the keys of one session; those of `expiring` expire together (C4). */
const ENDINGS = {
  state: 'state',
  inbox: 'inbox',
  events: 'events',
  messages: 'messages',
  seen: 'seen',
  lease: 'lease',
  /** Dead letters; they outlive the session. */
  letters: 'dead',
} as const;
const EXPIRING = ['state', 'inbox', 'events', 'messages', 'seen'] as const;

/**
 * Lua that names the keys of sessions for scripts that look at many of them: `state_of(id)` and so on, from their
 * arguments `session_prefix` and `owned_prefix`. Only what `body` calls.
 */
export function keyNamesFor(body: string): string {
  const own = (ending: string) => `session_prefix .. id .. ':${ending}'`;
  const names = [
    ...Object.entries(ENDINGS).map(([name, ending]) => [`${name}_of`, 'id', own(ending)]),
    ['expiring_of', 'id', `{ ${EXPIRING.map(own).join(', ')} }`],
    ['owned_of', 'id', `owned_prefix .. string.sub(id, 1, ${HASH_CHARS})`],
    ['dead_owned_of', 'id', `owned_prefix .. string.sub(id, 1, ${HASH_CHARS}) .. ':dead'`],
    ['copy_of', 'key', "key .. ':copy'"],
  ];
  return names
    .filter(([name]) => body.includes(`${name}(`))
    .map(([name, of, text]) => `local function ${name}(${of}) return ${text} end`)
    .join('\n');
}

/** Text in place of a state or a listing that a move has closed: every script that needs that key is refused. */
export const MOVED_MARK = 'moved by sluice migrate';

export type Keys = ReturnType<typeof makeKeys>;

/** Keys and a channel with which a node tries what it may do on one server. None is ever there for long. */
export type ServerKeys = ReturnType<Keys['server']>;

/** The first name that fits; on a cluster each master has some of them. */
function first(fits: (name: string) => boolean, name: (n: number) => string): string {
  for (let n = 0; ; n++) if (fits(name(n))) return name(n);
}

/** The only maker of the names of keys and channels. */
export function makeKeys(prefix: string, partitions: number) {
  const tag = (partition: number) => `${prefix}:{p${partition}}`;
  const partitionOf = remembered((id) => crc16(id) % partitions);
  return {
    prefix,
    partitions,
    partitionOf,
    session: remembered((id) => {
      const base = tag(partitionOf(id));
      const own = `${base}:s:${id}`;
      return {
        state: `${own}:${ENDINGS.state}`,
        inbox: `${own}:${ENDINGS.inbox}`,
        events: `${own}:${ENDINGS.events}`,
        messages: `${own}:${ENDINGS.messages}`,
        seen: `${own}:${ENDINGS.seen}`,
        lease: `${own}:${ENDINGS.lease}`,
        pending: `${base}:pending`,
        held: `${base}:held`,
        paused_agents: `${base}:paused`,
        sessions: `${base}:sessions`,
        owned: `${base}:u:${id.slice(0, HASH_CHARS)}`,
        ends: `${base}:ends`,
        /** Dead letters: those of the session, and listings of ids: all of the partition, all of the principal. */
        letters: `${own}:${ENDINGS.letters}`,
        dead: `${base}:dead`,
        dead_owned: `${base}:u:${id.slice(0, HASH_CHARS)}:dead`,
      };
    }),
    /** The call that retried or deleted a dead letter, kept for a minute: its repeat gets the first answer. */
    letterCall: (id: string, messageId: string) =>
      `${tag(partitionOf(id))}:s:${id}~${messageId}:call`,
    /** The record of a session's end, kept for a minute under the call that ended it. */
    endCall: (id: string, callId: string) => `${tag(partitionOf(id))}:s:${id}~${callId}:call`,
    /** Where what a move has closed lies until it is opened again: beside the text that refuses scripts. */
    sealed: (key: string) => `${key}:sealed`,
    /** A copy of a session before it is put in its place; no run of a move touches that of another. */
    staged(id: string, run: string) {
      const own = `${tag(partitionOf(id))}:s:${id}`;
      return {
        staged: `${own}:${ENDINGS.state}:${run}`,
        staged_inbox: `${own}:${ENDINGS.inbox}:${run}`,
        staged_events: `${own}:${ENDINGS.events}:${run}`,
        staged_messages: `${own}:${ENDINGS.messages}:${run}`,
        staged_seen: `${own}:${ENDINGS.seen}:${run}`,
      };
    },
    partition(partition: number) {
      const base = tag(partition);
      return {
        /** The run of a move that may change this partition; none: no move is under way. */
        move: `${base}:move`,
        pending: `${base}:pending`,
        held: `${base}:held`,
        paused_agents: `${base}:paused`,
        swept: `${base}:swept`,
        ends: `${base}:ends`,
        sessions: `${base}:sessions`,
        dead: `${base}:dead`,
        sessionPrefix: `${base}:s:`,
        ownedPrefix: `${base}:u:`,
      };
    },
    /** Ids of dead letters in one partition, of everybody or of one principal. */
    deadIn: (partition: number, principal?: string) =>
      principal === undefined
        ? `${tag(partition)}:dead`
        : `${tag(partition)}:u:${principalHash(principal)}:dead`,
    /** Ids of sessions in one partition, of everybody or of one principal. */
    sessionsIn: (partition: number, principal?: string) =>
      principal === undefined
        ? `${tag(partition)}:sessions`
        : `${tag(partition)}:u:${principalHash(principal)}`,
    /** Channel of a session's events. */
    channel: (id: string) => `${tag(partitionOf(id))}:s:${id}`,
    /** Channel of a node's wakes and aborts for the sessions of one partition; ends before the node id. */
    nodeChannelPrefix: (partition: number) => `${tag(partition)}:node:`,
    nodes: `${prefix}:nodes`,
    /** Pauses of agents; each partition has a copy, which the scripts of its sessions read. */
    pausedAgents: `${prefix}:paused`,
    layout: `${prefix}:layout`,
    /** Bucket of a principal (its hash) or an address. */
    rate: (kind: RateKind, subject: string) => `${prefix}:rate:{${subject}}:${kind}`,
    /** Permits to run a turn of an agent, or of a principal, and the sessions that wait for one. */
    permits({ kind, name }: PermitScope) {
      const subject = kind === 'agent' ? name : principalHash(name);
      const base = `${prefix}:${kind}:{${subject}}`;
      return { permits: `${base}:turns`, waiting: `${base}:waiting` };
    },
    /** Those of the server that has the keys for which `isHere` is true. */
    server: (isHere: (key: string) => boolean = () => true) => ({
      /** Keys that never exist: connections prove that they may write by deleting them. */
      pulse: first(isHere, (n) => (n === 0 ? `${prefix}:pulse` : `${prefix}:pulse:{${n}}`)),
      ringPulse: first(isHere, (n) => `{${prefix}-ring-${n}}:ring:pulse`),
      /** Written before each wait for a copy. */
      durable: first(isHere, (n) => (n === 0 ? `${prefix}:durable` : `${prefix}:durable:{${n}}`)),
      channel: first(isHere, (n) => `${tag(n)}:node:`),
    }),
    /** BullMQ's prefix: one queue, in one slot. */
    ringPrefix: `{${prefix}-ring-0}`,
    /** BullMQ's prefixes on a cluster: as many queues, in slots that are spread evenly. */
    ringPrefixes: (queues: number) => spread(queues, (n) => `{${prefix}-ring-${n}}`),
  };
}
