import { UNNAMED_CALL } from '../redis/connect.js';
import { defineScript } from '../script/script.js';

/** Scripts of a move. No node calls them, so that none loads them. */

export type Sealed =
  | { readonly kind: 'superseded' | 'gone' | 'sealed' }
  /** Somebody is at a turn of it, for at least so long unless it ends. */
  | { readonly kind: 'held'; readonly leftMs: number }
  | { readonly kind: 'damaged'; readonly type: string };

export const sessionSeal = defineScript('session-seal', {
  keys: ['move', 'record', 'sealed', 'lease'],
  args: ['run', 'mark'],
  decode(word, reply): Sealed {
    if (word === 'held') return { kind: 'held', leftMs: reply.int() };
    if (word === 'damaged') return { kind: 'damaged', type: reply.text() };
    return { kind: word === 'gone' || word === 'superseded' ? word : 'sealed' };
  },
});

export const keySeal = defineScript('key-seal', {
  keys: ['move', 'record', 'sealed'],
  args: ['run', 'mark'],
  decode: (word) => word,
});

export const keyUnseal = defineScript('key-unseal', {
  keys: ['record', 'sealed'],
  args: ['mark'],
  decode: (word) => word,
});

export const sessionArrive = defineScript('session-arrive', {
  keys: [
    ...(['move', 'staged', 'staged_inbox', 'staged_events', 'staged_messages'] as const),
    ...(['staged_seen', 'record', 'inbox', 'events', 'messages', 'seen'] as const),
    ...(['sessions', 'owned', 'pending', 'held'] as const),
  ],
  args: ['run', 'id', 'ttl', 'whole', 'active', 'owned_active'],
  decode: (word) => word,
});

export const sessionDrop = defineScript('session-drop', {
  keys: [
    ...(['move', 'record', 'inbox', 'events', 'messages', 'seen'] as const),
    ...(['sessions', 'owned', 'pending', 'held'] as const),
  ],
  args: ['run', 'id'],
  decode: (word) => word,
});

export const letterArrive = defineScript('letter-arrive', {
  keys: ['move', 'letters', 'dead', 'dead_owned'],
  args: ['run', 'id', 'message_id', 'number', 'text'],
  decode: (word, reply) => (word === 'arrived' && reply.flag() ? 'same' : word),
});

export const letterForget = defineScript('letter-forget', {
  keys: ['move', 'letters', 'dead', 'dead_owned'],
  args: ['run', 'id', 'message_id'],
  decode: (word) => word,
});

export const endArrive = defineScript('end-arrive', {
  keys: ['move', 'ends'],
  args: ['run', 'record'],
  decode: (word) => word,
});

export const moveStep = defineScript('move-step', {
  keys: ['layout'],
  args: ['step', 'run', 'place', 'id'],
  decode: (word) => word,
});

/** Calls of a move at which `SLUICE_FAILPOINT` can end it: its scripts, and all other commands under one name. */
export const migrateCalls: readonly string[] = [
  ...[sessionSeal, keySeal, keyUnseal, sessionArrive, sessionDrop, letterArrive, letterForget],
  ...[endArrive, moveStep],
]
  .map(({ name }) => name)
  .concat(UNNAMED_CALL);
