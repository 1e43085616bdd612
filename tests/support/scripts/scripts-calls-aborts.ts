import type { Store } from '@sluice/store';
import type { ScriptCall } from './scripts-calls.js';
import { refOf, sessionWith, take } from './scripts-world.js';

const ref = refOf('s');
const waiting = (store: Store) => sessionWith(store, 's', 'm1', 'm2', 'm3');

/** Three messages, the first of them started. */
async function running(store: Store) {
  await waiting(store);
  return take(store, ref, 't1');
}

export const abortCalls: readonly ScriptCall[] = [
  {
    script: 'turn-abort',
    when: 'a turn runs',
    prepare: async (store) => {
      await running(store);
      return () => store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
    },
  },
  {
    script: 'turn-abort',
    when: 'the head waits for a worker',
    prepare: async (store) => {
      await waiting(store);
      return () => store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
    },
  },
  {
    script: 'turn-abort',
    when: 'it names one that waits behind a turn',
    prepare: async (store) => {
      await running(store);
      return () => store.inbox.abort(ref, { reason: 'user', messageId: 'm3', callId: 'a1' });
    },
  },
  {
    script: 'turn-abort',
    when: 'the holder of the head has given up',
    prepare: async (store) => {
      const { lease } = await running(store);
      await store.leases.release(lease, 'force', 'drain');
      return () => store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
    },
  },
];
