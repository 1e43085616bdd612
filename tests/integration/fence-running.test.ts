import { expect, it } from '@jest/globals';
import { sessionKeyId } from '@sluice/store';
import { eventually, httpBehaviours, startRedis, stopLater } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { commitOf, openTestStore } from '../support/scripts/scripts-world.js';

it('L3 an older, a foreign and a future fence are refused beside the turn that runs', async () => {
  const redis = await startRedis();
  const cluster = await Cluster.open(redis);
  stopLater(() => cluster.stop());
  cluster.agent.behave(httpBehaviours.hang());
  const node = await cluster.start();
  const client = await cluster.attach(node, { session_id: 'fenced' });
  client.message('text', { message_id: 'm1' });
  await eventually(() => cluster.agent.turns.length === 1);
  const direct = redis.client();
  const { state, inbox, events, messages } = cluster.sessionKeys('fenced');
  const stored = await direct.hgetall(state);
  const own = {
    id: sessionKeyId('local', 'fenced'),
    token: stored.token ?? '',
    fence: Number(stored.fence),
  };
  const turnId = stored.turn_id ?? '';
  const store = await openTestStore(redis.url, { prefix: cluster.prefix, partitions: 64 });
  const contents = async () => {
    const { lease_until: _renewed, ...rest } = await direct.hgetall(state);
    return [
      rest,
      await direct.lrange(inbox, 0, -1),
      await direct.xrange(events, '-', '+'),
      await direct.lrange(messages, 0, -1),
    ];
  };
  const before = await contents();
  for (const stale of [
    { ...own, fence: own.fence - 1 },
    { ...own, fence: own.fence + 1 },
    { ...own, token: 'foreign' },
  ]) {
    const batch = [['t', 'd', 'm', 'm1', 'd', '{"content":"late"}']];
    const answers = [
      await store.leases.appendEvents(stale, { turnId, number: 99, batch }),
      await store.leases.commit(stale, commitOf(turnId)),
      await store.leases.release(stale, 'yield'),
      await store.leases.release(stale, 'force', 'late'),
    ];
    expect(answers.map(({ kind }) => kind)).toEqual(answers.map(() => 'fenced'));
    const begun = await store.leases.begin(stale, { turnId: 'another' });
    expect(begun.kind).toBe('refused');
  }
  expect(await contents()).toEqual(before);
  client.send({ type: 'abort' });
  expect(await client.final('m1')).toMatchObject({
    outcome: { status: 'aborted' },
    turn_id: turnId,
  });
  expect(cluster.agent.turns.map(({ turn }) => turn.attempt)).toEqual([1]);
});
