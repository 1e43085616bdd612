import { defineScript } from './script.js';

export const ringDraw = defineScript('ring-draw', {
  keys: ['state', 'inbox', 'pending', 'paused_agents'],
  args: ['id', 'delay', 'call'],
  decode: (word, reply) => (word === 'drawn' ? reply.text() : ''),
});

/** A session, or a key of the partition, that was set aside; `why` is what Redis said. */
export type SetAside = { readonly where: string; readonly why: string };

export type SweepReply = {
  readonly rings: readonly { readonly id: string; readonly ring: string }[];
  readonly overdueEnds: readonly string[];
  /** Ms until the next listed session is due; Infinity: none is listed. */
  readonly nextDueMs: number;
  /** The clock of Redis; 0: another sweep came first, and nothing was looked at. */
  readonly nowMs: number;
  readonly setAside: readonly SetAside[];
};

export const pendingSweep = defineScript('pending-sweep', {
  keys: ['pending', 'held', 'swept', 'ends', 'sessions', 'dead', 'paused_agents'],
  args: ['session_prefix', 'owned_prefix', 'interval', 'resume_window', 'call', 'horizon'],
  decode(word, reply): SweepReply {
    if (word === 'early')
      return { rings: [], overdueEnds: [], nextDueMs: 0, nowMs: 0, setAside: [] };
    const flat = reply.texts();
    const rings = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      rings.push({ id: flat[i] ?? '', ring: flat[i + 1] ?? '' });
    }
    const overdueEnds = reply.texts();
    const nextDue = reply.text();
    const nowMs = reply.int();
    const aside = reply.texts();
    const setAside: SetAside[] = [];
    for (let i = 0; i + 1 < aside.length; i += 2) {
      setAside.push({ where: aside[i] ?? '', why: aside[i + 1] ?? '' });
    }
    return {
      nowMs,
      setAside,
      rings,
      overdueEnds,
      nextDueMs: nextDue === '' ? Number.POSITIVE_INFINITY : Number(nextDue),
    };
  },
});

export const endsCopied = defineScript('ends-copied', {
  keys: ['ends'],
  args: ['record'],
  decode: (word) => word,
});

export type MeasureReply = {
  readonly sessions: number;
  readonly messages: number;
  /** Ms since the oldest head was accepted. */
  readonly oldestMs: number;
};

export const pendingMeasure = defineScript('pending-measure', {
  keys: ['pending', 'paused_agents'],
  args: ['session_prefix'],
  readOnly: true,
  decode: (_word, reply): MeasureReply => ({
    sessions: reply.int(),
    messages: reply.int(),
    oldestMs: reply.int(),
  }),
});

export type NodeStatus = 'worker' | 'edge' | 'draining';

export type NodeBeat = {
  readonly node: string;
  readonly status: string;
  readonly ageMs: number;
  readonly info: string;
};

export type BeatReply = {
  readonly beats: readonly NodeBeat[];
  /** The clock of Redis. */
  readonly nowMs: number;
};

export const nodeBeat = defineScript('node-beat', {
  keys: ['nodes'],
  args: ['node', 'status', 'info'],
  decode(_word, reply): BeatReply {
    const flat = reply.texts();
    const beats: NodeBeat[] = [];
    for (let i = 0; i + 3 < flat.length; i += 4) {
      const [node = '', status = '', age = '', info = ''] = flat.slice(i, i + 4);
      beats.push({ node, status, ageMs: Number(age), info });
    }
    return { beats, nowMs: reply.int() };
  },
});

export const nodeDrain = defineScript('node-drain', {
  keys: ['nodes'],
  args: ['node', 'info'],
  decode: (_word, reply) => reply.int(),
});
