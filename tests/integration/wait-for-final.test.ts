import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { eventually, startRedis } from '@sluice/testkit';
import { makeFanOut } from '../../apps/gateway/src/edge/delivery/fan-out.js';
import { LogReader } from '../../apps/gateway/src/edge/delivery/log-reader.js';
import { waitForFinal } from '../../apps/gateway/src/edge/http/wait-for-final.js';
import { commitOf, openTestStore, sessionWith, take } from '../support/scripts/scripts-world.js';

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

const MESSAGES = ['m1', 'm2', 'm3'];

describe('a request that waits for its outcome', () => {
  let store: Store;
  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    store = await openTestStore(redis.url);
  });

  it('B1 a request that waits keeps its own outcome, and no other reply of the session', async () => {
    const ref = await sessionWith(store, 's', ...MESSAGES);
    const { sessions } = store;
    const reads = sessions;
    const fanOut = makeFanOut({ ...store, reads });
    const context = { sessions, reads, fanOut, limits: { maxPayloadBytes: 1_000_000 } };
    const about = { messageId: 'm3', agentId: 'echo' };
    const wait = await waitForFinal(context, ref, about);
    // Another reader of the same feed gets the same events.
    const events = new Map<string, WeakRef<object>>();
    const observer = new LogReader(ref, context, {
      from: MESSAGES.length,
      epoch: (await sessions.place(ref))?.epoch ?? '',
      maxBytes: 1_000_000,
      take: ({ event }) => {
        if (event.kind === 'final') events.set(event.messageId, new WeakRef(event));
      },
      resynced: () => {},
      gone: () => {},
      broken: () => {},
      writable: async () => {},
    });
    await observer.start({ sessionId: 's', agentId: 'echo' });
    const { lease } = await take(store, ref, 'turn-1');
    await store.leases.commit(lease, commitOf('turn-1', { nextTurnId: 'turn-2' }));
    await store.leases.commit(lease, commitOf('turn-2', { nextTurnId: 'turn-3' }));
    await store.leases.commit(lease, commitOf('turn-3'));
    expect(await wait.result(5_000)).toMatchObject({ message_id: 'm3' });
    await eventually(() => events.size === MESSAGES.length);
    await eventually(() => {
      if (typeof collectGarbage === 'function') collectGarbage();
      const kept = [...events].flatMap(([id, event]) => (event.deref() ? [id] : []));
      expect(kept).toEqual(['m3']);
    });
    expect(await wait.result(0)).toMatchObject({ content: 'reply of turn-3' });
    wait.stop();
    observer.stop();
  });
});
