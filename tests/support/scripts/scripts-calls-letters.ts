import type { Store } from '@sluice/store';
import type { ScriptCall } from './scripts-calls.js';
import { commitOf, idOf, refOf, sessionWith, take } from './scripts-world.js';

const ref = refOf('s');
const id = idOf(ref);

/** A session with a dead letter, and messages behind it. */
async function withLetter(store: Store) {
  await sessionWith(store, 's', 'm1', 'm2', 'm3');
  const { lease } = await take(store, ref, 't1');
  const end = commitOf('t1', { status: 'dead_lettered', reason: 'no attempt left', fetch: false });
  await store.leases.commit(lease, end);
  return { letterId: `${id}~m1`, lease };
}

export const letterCalls: ScriptCall[] = [
  {
    script: 'letter-retry',
    when: 'others of its session wait',
    prepare: async (store) => {
      const { letterId } = await withLetter(store);
      return () => store.deadLetters.retry(letterId);
    },
  },
  {
    script: 'letter-retry',
    when: 'nobody is at its session, and nothing waits',
    prepare: async (store) => {
      const { letterId, lease } = await withLetter(store);
      await store.leases.release(lease, 'yield');
      for (const messageId of ['m2', 'm3']) await store.inbox.cancel(ref, messageId);
      return () => store.deadLetters.retry(letterId);
    },
  },
  {
    script: 'letter-drop',
    when: 'a message died',
    prepare: async (store) => {
      const { letterId } = await withLetter(store);
      return () => store.deadLetters.drop(letterId);
    },
  },
];
