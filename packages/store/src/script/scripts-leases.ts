import { ReplyReader } from './reply.js';
import { defineScript } from './script.js';
import { type Fenced, fenced, unexpected } from './script-replies.js';

/** A key of this session holds another type than ours: nothing of it was changed. */
type Damaged = { readonly kind: 'damaged'; readonly why: string };

/** What a renewal did to one of many leases. */
export type LeaseRenewed =
  /** `waits`: the inbox is not empty. */
  | { readonly kind: 'renewed'; readonly abort: string; readonly waits: boolean }
  /** `isEnded`: there is no other holder; the session was ended (D9), or is gone. */
  | { readonly kind: 'fenced'; readonly isEnded: boolean }
  /** The session still has this lease, but its Redlock does not: it was not extended, and never will be. */
  | { readonly kind: 'unlocked' }
  | Damaged;

/** `more`: the inbox is not empty, and the lease is kept. */
export type LeaseReleased = Fenced | { readonly kind: 'more' | 'released' } | Damaged;

export const leasesRenew = defineScript('leases-renew', {
  keys: ['held'],
  args: ['session_prefix', 'leases', 'ttl'],
  decode: (_word, reply) => each(reply, renewed),
});

export const leasesRelease = defineScript('leases-release', {
  keys: ['held'],
  args: ['session_prefix', 'leases', 'resume_window'],
  decode: (_word, reply) => each(reply, released),
});

type ReadOne<T> = (word: string, reply: ReplyReader) => T;

function each<T>(reply: ReplyReader, readOne: ReadOne<T>): T[] {
  return reply.list().map((one) => {
    const reader = new ReplyReader(Array.isArray(one) ? one : []);
    return readOne(reader.text(), reader);
  });
}

function renewed(word: string, reply: ReplyReader): LeaseRenewed {
  if (word === 'renewed') return { kind: word, abort: reply.text(), waits: reply.flag() };
  if (word === 'fenced' || word === 'ended') return { kind: 'fenced', isEnded: word === 'ended' };
  if (word === 'damaged') return { kind: word, why: reply.text() };
  return word === 'unlocked' ? { kind: word } : unexpected(word);
}

function released(word: string, reply: ReplyReader): LeaseReleased {
  if (word === 'fenced') return fenced;
  if (word === 'damaged') return { kind: word, why: reply.text() };
  return word === 'more' || word === 'released' ? { kind: word } : unexpected(word);
}
