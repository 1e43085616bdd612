import type { ScriptCall } from './scripts-calls.js';
import { idOf, refOf, sessionWith } from './scripts-world.js';

const bucket = { burst: 10, fillMs: 3_600_000 };
const agent = { kind: 'agent', name: 'slow' } as const;
const draw = { want: 4, bucket };

export const limitCalls: ScriptCall[] = [
  {
    script: 'rate-draw',
    when: 'the bucket is full',
    prepare: async (store) => () => store.rates.draw('messages', 'alice', draw),
  },
  {
    script: 'rate-draw',
    when: 'there is less than is wanted',
    // At once: what would be left a moment later depends on that moment.
    prepare: async (store) => () => store.rates.draw('messages', 'alice', { want: 20, bucket }),
  },
  {
    script: 'permit-take',
    when: 'there is one',
    prepare: async (store) => () => store.permits.take(agent, 'a', 1),
  },
  {
    script: 'permit-take',
    when: 'others have them all',
    prepare: async (store) => {
      await store.permits.take(agent, 'a', 1);
      return () => store.permits.take(agent, 'b', 1);
    },
  },
  {
    script: 'permit-keep',
    when: 'turns run',
    prepare: async (store) => {
      for (const id of ['a', 'b']) await store.permits.take(agent, id, 2);
      return () => store.permits.keep(agent, ['a', 'b']);
    },
  },
  {
    script: 'permit-give',
    when: 'others wait',
    prepare: async (store) => {
      for (const id of ['a', 'b', 'c']) await store.permits.take(agent, id, 1);
      return () => store.permits.give(agent, 'a');
    },
  },
  {
    script: 'sessions-count',
    when: 'one of them has expired',
    prepare: async (store, client) => {
      const ref = await sessionWith(store, 's', 'm1');
      const { sessions, owned } = store.keys.session(idOf(ref));
      const gone = `${idOf(refOf('s')).slice(0, 13)}gone`;
      for (const key of [sessions, owned]) await client.zadd(key, 1, gone);
      return () => store.sessions.countOf(ref.principal, 1);
    },
  },
  {
    script: 'bytes-measure',
    when: 'messages wait',
    prepare: async (store) => {
      const ref = await sessionWith(store, 's', 'm1');
      const partition = store.keys.partitionOf(idOf(ref));
      return () => store.bytes.measureIn(partition, ref.principal);
    },
  },
];
