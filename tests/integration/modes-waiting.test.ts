import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

describe('modes of a message while a turn runs', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let client: FrameClient;
  let session_id = '';
  let release = () => {};
  let sessions = 0;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  /** Each test begins with m1 running until `release` is called. */
  beforeEach(async () => {
    sessions += 1;
    session_id = `modes-${sessions}`;
    cluster.agent.behave(async ({ message_id, content }, { respond }) => {
      if (message_id === 'm1') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      respond.json({ content: `echo: ${content}` });
    });
    client = await cluster.attach(node, { session_id });
    client.message('first', { message_id: 'm1', mode: 'collect' });
    await eventually(() => turns().length === 1);
  });

  const turns = () =>
    cluster.agent.turns.flatMap(({ turn }) => (turn.session_id === session_id ? [turn] : []));
  const finals = (count: number) => client.collect(count, { status: 'final' });

  it('T1 collect: adjacent waiting messages become one turn with a final for each, but not a started one', async () => {
    for (const [id, mode] of Object.entries({
      c1: 'collect',
      c2: 'collect',
      e1: 'enqueue',
      c3: 'collect',
    })) {
      client.message(`text ${id}`, { message_id: id, mode });
    }
    await client.waitFor({ status: 'accepted', message_id: 'c3' });
    release();
    const all = await finals(5);
    expect(
      all.map(({ message_id, content, merged_into }) => [message_id, content, merged_into]),
    ).toEqual([
      ['m1', 'echo: first', undefined],
      ['c1', '', 'c2'],
      ['c2', 'echo: text c1\n\ntext c2', undefined],
      ['e1', 'echo: text e1', undefined],
      ['c3', 'echo: text c3', undefined],
    ]);
    expect(turns().map(({ content }) => content)).toEqual([
      'first',
      'text c1\n\ntext c2',
      'text e1',
      'text c3',
    ]);
    expect(all[1]?.turn_id).toBe(all[2]?.turn_id);
    expect(gaps(client.logged())).toEqual([]);
    client.message('text c1', { message_id: 'c1', mode: 'collect' });
    expect(await client.waitFor({ status: 'final', duplicate: true })).toMatchObject({
      message_id: 'c1',
      merged_into: 'c2',
      content: '',
    });
  });

  it('S4 reject is refused while a turn runs, and stores nothing', async () => {
    client.message('now or never', { message_id: 'r1', mode: 'reject' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'busy',
      retryable: true,
      message_id: 'r1',
    });
    const posted = await fetch(`${node.url}/v1/sessions/${session_id}/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'now or never', mode: 'reject' }),
    });
    expect(posted.status).toBe(409);
    expect(await posted.json()).toMatchObject({ error: { code: 'busy', retryable: true } });
    expect(await cluster.inbox(session_id)).toEqual(['m1']);
    release();
    await client.final('m1');
    client.message('now or never', { message_id: 'r1', mode: 'reject' });
    expect(await client.final('r1')).toMatchObject({ content: 'echo: now or never' });
  });

  it('S2 cancel takes out what was not started, with an outcome of its own', async () => {
    client.message('second', { message_id: 'm2' });
    client.message('third', { message_id: 'm3' });
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    client.send({ type: 'cancel', message_id: 'm2' });
    expect(await client.waitFor({ type: 'cancelled' })).toMatchObject({ session_id });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'cancelled' } });
    for (const message_id of ['m1', 'unknown']) {
      client.send({ type: 'cancel', message_id });
      expect(await client.waitFor({ type: 'error', message_id })).toMatchObject({
        code: 'not_pending',
      });
    }
    release();
    await finals(3);
    expect(turns().map(({ message_id }) => message_id)).toEqual(['m1', 'm3']);
    expect(gaps(client.logged())).toEqual([]);
  });
});
