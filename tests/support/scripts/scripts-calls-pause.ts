import type { Store } from '@sluice/store';
import type { Redis } from 'ioredis';
import type { ScriptCall } from './scripts-calls.js';
import { attach, commitOf, idOf, refOf, sessionWith, take } from './scripts-world.js';

const ref = refOf('s');
const id = idOf(ref);

/** Three messages that wait in a paused session. */
async function paused(store: Store) {
  await sessionWith(store, 's', 'm1', 'm2', 'm3');
  await store.pauses.session(ref, true);
}

export const pauseCalls: ScriptCall[] = [
  {
    script: 'session-pause',
    when: 'a turn runs',
    prepare: async (store) => {
      await sessionWith(store, 's', 'm1', 'm2');
      await take(store, ref, 't1');
      return () => store.pauses.session(ref, true);
    },
  },
  {
    script: 'session-pause',
    when: 'messages wait for it to go on',
    prepare: async (store) => {
      await paused(store);
      return () => store.pauses.session(ref, false);
    },
  },
  {
    script: 'agent-pause',
    when: 'it runs',
    prepare: async (store) => () => store.pauses.agent('echo', true),
  },
  {
    script: 'agent-pause',
    when: 'a session waits for it to go on',
    prepare: async (store) => {
      await sessionWith(store, 's', 'm1');
      await store.pauses.agent('echo', true);
      return () => store.pauses.agent('echo', false);
    },
  },
  {
    script: 'pause-copy',
    when: 'a partition has not heard of it',
    prepare: async (store, client: Redis) => {
      await attach(store, ref, { attachId: 'first' });
      await store.pauses.agent('echo', true);
      const partition = store.keys.partitionOf(id);
      await client.del(store.keys.partition(partition).paused_agents);
      return async () => store.pauses.follow(partition, await store.pauses.numbers());
    },
  },
  {
    script: 'session-peek',
    when: 'it is paused',
    prepare: async (store) => {
      await paused(store);
      return () => store.leases.peek(id, '1');
    },
  },
  {
    script: 'ring-draw',
    when: 'it is paused',
    prepare: async (store) => {
      await paused(store);
      return () => store.leases.drawRing(id, 250);
    },
  },
  {
    script: 'turn-begin',
    when: 'it is paused',
    prepare: async (store) => {
      await paused(store);
      const claim = await store.leases.acquire(id);
      const lease = { id, token: claim?.token ?? '', fence: 0 };
      return () => store.leases.begin(lease, { turnId: 't1', ring: '1' });
    },
  },
  {
    script: 'turn-commit',
    when: 'it was paused meanwhile',
    prepare: async (store) => {
      await sessionWith(store, 's', 'm1', 'm2');
      const { lease } = await take(store, ref, 't1');
      await store.pauses.session(ref, true);
      return () => store.leases.commit(lease, commitOf('t1'));
    },
  },
  ...(['yield', 'force'] as const).map((how) => ({
    script: 'turn-release',
    when: `${how}, and it is paused`,
    prepare: async (store: Store) => {
      await sessionWith(store, 's', 'm1', 'm2');
      const { lease } = await take(store, ref, 't1');
      await store.pauses.session(ref, true);
      return () => store.leases.release(lease, how, 'drain');
    },
  })),
];
