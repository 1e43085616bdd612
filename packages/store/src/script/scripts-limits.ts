import { defineScript } from './script.js';

export type DrawReply = { readonly tokens: number; readonly waitMs: number };

export const rateDraw = defineScript('rate-draw', {
  keys: ['bucket'],
  args: ['call', 'want', 'burst', 'fill'],
  decode: (_word, reply): DrawReply => ({ tokens: reply.int(), waitMs: reply.int() }),
});

export const sessionsCount = defineScript('sessions-count', {
  keys: ['owned', 'sessions'],
  args: ['session_prefix'],
  decode: (_word, reply): number => reply.int(),
});

export const bytesMeasure = defineScript('bytes-measure', {
  keys: ['owned'],
  args: ['session_prefix'],
  readOnly: true,
  decode: (_word, reply): number => reply.int(),
});

export type TakeReply =
  | { readonly kind: 'taken' }
  | { readonly kind: 'full'; readonly waiting: number };

export const permitTake = defineScript('permit-take', {
  keys: ['permits', 'waiting'],
  args: ['holder', 'id', 'most', 'ttl'],
  decode: (word, reply): TakeReply =>
    word === 'taken' ? { kind: 'taken' } : { kind: 'full', waiting: reply.int() },
});

export const permitKeep = defineScript('permit-keep', {
  keys: ['permits'],
  args: ['holders', 'ttl'],
  decode: (word) => word,
});

export const permitGive = defineScript('permit-give', {
  keys: ['permits', 'waiting'],
  args: ['holder'],
  decode: (_word, reply) => reply.text(),
});
