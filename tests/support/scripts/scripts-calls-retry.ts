import type { Store } from '@sluice/store';
import type { ScriptCall } from './scripts-calls.js';
import { expireLease, idOf, refOf, retryOf, sessionWith, take } from './scripts-world.js';

const ref = refOf('s');
const id = idOf(ref);

/** Three messages, the first of them started. */
async function running(store: Store) {
  await sessionWith(store, 's', 'm1', 'm2', 'm3');
  return take(store, ref, 't1');
}

/** The same, and the first waits for another attempt. */
async function retrying(store: Store) {
  const { lease } = await running(store);
  await store.leases.retry(lease, retryOf('t1'));
}

/** Calls for another attempt of a message. */
export const retryCalls: readonly ScriptCall[] = [
  ...(['failed', 'cut'] as const).map((how) => ({
    script: 'turn-retry',
    when: `its attempt ${how === 'cut' ? 'was cut' : 'failed'}`,
    prepare: async (store: Store) => {
      const { lease } = await running(store);
      return () => store.leases.retry(lease, retryOf('t1', { how }));
    },
  })),
  {
    script: 'turn-retry',
    when: 'it has failed for long enough',
    prepare: async (store) => {
      const { lease } = await running(store);
      return () => store.leases.retry(lease, retryOf('t1', { retryForMs: 0 }));
    },
  },
  {
    script: 'turn-retry',
    when: 'the message is to be aborted',
    prepare: async (store) => {
      const { lease } = await running(store);
      await store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
      return () => store.leases.retry(lease, retryOf('t1'));
    },
  },
  {
    script: 'turn-begin',
    when: 'one attempt is left, the last',
    prepare: async (store, client) => {
      const { lease } = await running(store);
      await client.hset(store.keys.session(id).state, 'cuts', 2);
      await expireLease(client, store, ref);
      const claim = await store.leases.acquire(id);
      const next = { ...lease, token: claim?.token ?? '' };
      return () => store.leases.begin(next, { turnId: 't2' });
    },
  },
  {
    script: 'turn-begin',
    when: 'no attempt is left',
    prepare: async (store, client) => {
      const { lease } = await running(store);
      await client.hset(store.keys.session(id).state, { cuts: 3, turn_word: 'alone' });
      await expireLease(client, store, ref);
      const claim = await store.leases.acquire(id);
      const next = { ...lease, token: claim?.token ?? '' };
      return () => store.leases.begin(next, { turnId: 't2' });
    },
  },
  {
    script: 'session-peek',
    when: 'the head waits to be tried again',
    prepare: async (store) => {
      await retrying(store);
      return async () => {
        const { kind } = await store.leases.peek(id, '2');
        return kind;
      };
    },
  },
  {
    script: 'inbox-append',
    when: 'it interrupts a wait for another attempt',
    prepare: async (store) => {
      await retrying(store);
      const message = { messageId: 'm9', content: 'stop that', mode: 'interrupt' } as const;
      return () => store.inbox.append(ref, message);
    },
  },
];
