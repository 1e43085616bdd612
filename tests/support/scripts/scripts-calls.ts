import { type Store, streamFields } from '@sluice/store';
import type { Redis } from 'ioredis';
import { abortCalls } from './scripts-calls-aborts.js';
import { leaseCalls } from './scripts-calls-leases.js';
import { letterCalls } from './scripts-calls-letters.js';
import { limitCalls } from './scripts-calls-limits.js';
import { pauseCalls } from './scripts-calls-pause.js';
import { retryCalls } from './scripts-calls-retry.js';
import {
  append,
  attach,
  commitOf,
  expireLease,
  idOf,
  refOf,
  sessionWith,
  take,
} from './scripts-world.js';

type Call = () => Promise<unknown>;

/** One call of one script, in a situation that `prepare` makes; run in a Redis that is else empty. */
export type ScriptCall = {
  readonly script: string;
  readonly when: string;
  prepare(store: Store, client: Redis): Promise<Call>;
};

const ref = refOf('s');
const id = idOf(ref);
const waiting = (store: Store) => sessionWith(store, 's', 'm1', 'm2', 'm3');
const delta = (text: string) => streamFields('token_stream', 'm1', { content: text });

/** Three messages, the first of them started. */
async function running(store: Store) {
  await waiting(store);
  return take(store, ref, 't1');
}

/** A holder that has drained its inbox. */
async function lingering(store: Store) {
  await sessionWith(store, 's', 'm0');
  const { lease, claim } = await take(store, ref, 't0');
  await store.leases.commit(lease, commitOf('t0'));
  return { lease, claim };
}

const attaching: ScriptCall[] = [
  {
    script: 'session-attach',
    when: 'there is no session yet',
    prepare: async (store) => () => attach(store, ref, { attachId: 'a' }),
  },
  {
    script: 'session-attach',
    when: 'a connection that is gone left its mark',
    prepare: async (store) => {
      await attach(store, ref, { attachId: 'left' });
      await append(store, ref, 'm1');
      await append(store, ref, 'm2');
      await store.sessions.mark(ref, { lowest: 'none', detached: 1 });
      return () => attach(store, ref, { attachId: 'a' });
    },
  },
  {
    script: 'session-attach',
    when: 'the cursor is ahead of the log',
    prepare: async (store) => {
      await waiting(store);
      const read = await store.sessions.read(ref, { count: 0 });
      return () => attach(store, ref, { attachId: 'a', since: 99, epoch: read?.state.epoch });
    },
  },
];

const reading: ScriptCall[] = [
  {
    script: 'session-read',
    when: 'a turn runs',
    prepare: async (store) => {
      await running(store);
      return () => store.sessions.read(ref, { count: 10 });
    },
  },
  {
    script: 'log-read',
    when: 'a turn runs',
    prepare: async (store) => {
      await running(store);
      return () => store.sessions.log(ref, { after: 0, count: 10 });
    },
  },
  {
    script: 'history-read',
    when: 'there is none',
    prepare: async (store) => {
      await running(store);
      return () => store.leases.history(id, 1_000);
    },
  },
  {
    script: 'session-describe',
    when: 'a turn runs',
    prepare: async (store) => {
      await running(store);
      return () => store.sessionList.list({ count: 10 });
    },
  },
  {
    script: 'pending-measure',
    when: 'messages wait',
    prepare: async (store) => {
      await waiting(store);
      return async () => {
        const { sessions, messages } = await store.measure(store.keys.partitionOf(id));
        return { sessions, messages };
      };
    },
  },
  {
    script: 'metadata-replace',
    when: 'it has metadata',
    prepare: async (store) => {
      await attach(store, ref, { attachId: 'first', metadata: { title: 'a', kept: 1 } });
      const patch = { title: 'b', more: [] };
      return () => store.sessions.patchMetadata(ref, { patch, maxBytes: 100 });
    },
  },
  {
    script: 'session-touch',
    when: 'the session is idle',
    prepare: async (store) => {
      await lingering(store);
      return () => store.sessions.touch(ref);
    },
  },
  {
    script: 'resume-mark',
    when: 'events flow',
    prepare: async (store) => {
      await waiting(store);
      return () => store.sessions.mark(ref, { lowest: 2, detached: 1 });
    },
  },
  {
    script: 'session-peek',
    when: 'there is work',
    prepare: async (store) => {
      await waiting(store);
      return () => store.leases.peek(id, '1');
    },
  },
  {
    script: 'session-peek',
    when: 'somebody is at it',
    prepare: async (store) => {
      await running(store);
      return () => store.leases.peek(id, '1');
    },
  },
];

const sending: ScriptCall[] = [
  {
    script: 'inbox-append',
    when: 'nobody is at the session',
    prepare: async (store) => {
      await attach(store, ref, { attachId: 'first' });
      return () => append(store, ref, 'm1');
    },
  },
  {
    script: 'inbox-append',
    when: 'the lingering holder hears nothing any more',
    prepare: async (store) => {
      await lingering(store);
      return () => append(store, ref, 'm1');
    },
  },
  {
    script: 'inbox-append',
    when: 'it interrupts a turn',
    prepare: async (store) => {
      await running(store);
      const message = { messageId: 'm9', content: 'stop that', mode: 'interrupt' } as const;
      return () => store.inbox.append(ref, message);
    },
  },
  {
    script: 'message-cancel',
    when: 'others wait too',
    prepare: async (store) => {
      await waiting(store);
      return () => store.inbox.cancel(ref, 'm2');
    },
  },
  {
    script: 'message-cancel',
    when: 'nothing else waits',
    prepare: async (store) => {
      await sessionWith(store, 's', 'm1');
      return () => store.inbox.cancel(ref, 'm1');
    },
  },
  {
    script: 'session-end',
    when: 'a turn runs and messages wait',
    prepare: async (store) => {
      await running(store);
      const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
      return () => store.sessions.end(ref, by);
    },
  },
];

const beginning: ScriptCall[] = [
  {
    script: 'turn-begin',
    when: 'the lease is new',
    prepare: async (store) => {
      await waiting(store);
      const claim = await store.leases.acquire(id);
      const lease = { id, token: claim?.token ?? '', fence: 0 };
      return () => store.leases.begin(lease, { turnId: 't1', ring: '1' });
    },
  },
  {
    script: 'turn-begin',
    when: 'the turn is tried again',
    prepare: async (store, client) => {
      const { lease } = await running(store);
      await expireLease(client, store, ref);
      const claim = await store.leases.acquire(id);
      const next = { ...lease, token: claim?.token ?? '' };
      return () => store.leases.begin(next, { turnId: 't2' });
    },
  },
  {
    script: 'turn-begin',
    when: 'the head was handed over too often',
    prepare: async (store, client) => {
      const { lease } = await running(store);
      await store.leases.release(lease, 'force', 'drain');
      await client.hset(store.keys.session(id).state, 'hand_overs', 3);
      const claim = await store.leases.acquire(id);
      const next = { ...lease, token: claim?.token ?? '' };
      return () => store.leases.begin(next, { turnId: 't2' });
    },
  },
];

const ending: ScriptCall[] = [
  {
    script: 'events-append',
    when: 'the agent streams',
    prepare: async (store) => {
      const { lease } = await running(store);
      await store.leases.appendEvents(lease, { turnId: 't1', number: 1, batch: [delta('a')] });
      const batch = [delta('b'), delta('c')];
      return () => store.leases.appendEvents(lease, { turnId: 't1', number: 2, batch });
    },
  },
  {
    script: 'turn-commit',
    when: 'it fetches the next message',
    prepare: async (store) => {
      const { lease } = await running(store);
      return () => store.leases.commit(lease, commitOf('t1', { trailing: [delta('end')] }));
    },
  },
  {
    script: 'turn-commit',
    when: 'it leaves the rest to others',
    prepare: async (store) => {
      const { lease } = await running(store);
      return () => store.leases.commit(lease, commitOf('t1', { fetch: false }));
    },
  },
  {
    script: 'turn-commit',
    when: 'nothing waits behind it',
    prepare: async (store) => {
      await sessionWith(store, 's', 'm1');
      const { lease } = await take(store, ref, 't1');
      return () => store.leases.commit(lease, commitOf('t1'));
    },
  },
  {
    script: 'turn-commit',
    when: 'the message goes to the dead letters',
    prepare: async (store) => {
      const { lease } = await running(store);
      const end = commitOf('t1', { status: 'dead_lettered', reason: 'no attempt left' });
      return () => store.leases.commit(lease, end);
    },
  },
  ...(['yield', 'force'] as const).map((how) => ({
    script: 'turn-release',
    when: `${how}, and messages wait`,
    prepare: async (store: Store) => {
      const { lease } = await running(store);
      return () => store.leases.release(lease, how, 'drain');
    },
  })),
  {
    script: 'turn-release',
    when: 'nothing waits',
    prepare: async (store) => {
      const { lease } = await lingering(store);
      return () => store.leases.release(lease, 'yield');
    },
  },
  {
    script: 'lease-renew',
    when: 'a turn runs that is to be aborted',
    prepare: async (store) => {
      const { lease, claim } = await running(store);
      await store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
      return () => store.leases.renew(lease, claim.deadlineMs).then(({ reply }) => reply);
    },
  },
];

const repairing: ScriptCall[] = [
  {
    script: 'ring-draw',
    when: 'there is work',
    prepare: async (store) => {
      await waiting(store);
      return () => store.leases.drawRing(id, 250);
    },
  },
  {
    script: 'pending-sweep',
    when: 'a session is due, another has expired, and a dead letter is too old',
    prepare: async (store, client) => {
      await waiting(store);
      const { pending, sessions, owned } = store.keys.session(id);
      await client.zadd(pending, 1, id);
      await client.zadd(sessions, 1, `${id.slice(0, 13)}expired`);
      await client.zadd(owned, 1, `${id.slice(0, 13)}expired`);
      const { letters, dead, dead_owned } = store.keys.session(id);
      await client.zadd(letters, 1, 'm0 {}');
      for (const key of [dead, dead_owned]) await client.zadd(key, 1, `${id}~m0`);
      return () => store.sweep(store.keys.partitionOf(id));
    },
  },
  {
    script: 'ends-copied',
    when: 'a session ended',
    prepare: async (store) => {
      await waiting(store);
      const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
      const record = (await store.sessions.end(ref, by)) ?? '';
      return () => store.sessionEnds.copy(record, store.keys.partitionOf(id));
    },
  },
  {
    script: 'node-beat',
    when: 'the node lives',
    prepare: async (store) => async () => {
      const { beats } = await store.nodes.beat('worker', { pid: 1 });
      // The age of a beat is a time, and short.
      return beats.map((beat) => ({ ...beat, ageMs: 0 }));
    },
  },
  {
    script: 'node-drain',
    when: 'the node leaves',
    prepare: async (store) => {
      await store.nodes.beat('worker', { pid: 1 });
      return () => store.nodes.drain({ pid: 1 });
    },
  },
];

export const scriptCalls: readonly ScriptCall[] = [
  ...abortCalls,
  ...attaching,
  ...reading,
  ...sending,
  ...beginning,
  ...ending,
  ...leaseCalls,
  ...letterCalls,
  ...limitCalls,
  ...pauseCalls,
  ...retryCalls,
  ...repairing,
];
