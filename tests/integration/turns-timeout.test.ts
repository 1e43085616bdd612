import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

describe('gateway.per_turn_timeout', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), { gateway: { per_turn_timeout: '1s' } });
  });
  afterAll(() => cluster.stop());

  it('B1 S2 ends a turn whose agent hangs with outcome timeout, and the session goes on', async () => {
    const client = await cluster.attach(await cluster.start(), { session_id: 'hung' });
    const hang = httpBehaviours.hang();
    cluster.agent.behave((turn, call) =>
      turn.content === 'say nothing'
        ? hang(turn, call)
        : call.respond.json({ content: 'something' }),
    );
    const hung = client.message('say nothing');
    await client.waitFor({ type: 'response', message_id: hung });
    const next = client.message('say something');
    expect((await client.final(hung)).outcome).toMatchObject({ status: 'timeout' });
    expect((await client.final(next)).content).toBe('something');
    expect(client.logged().filter(({ status }) => status === 'final')).toHaveLength(2);
  });
});
