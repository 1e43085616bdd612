import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

const MAX_INBOX = 3;
const MAX_INBOX_BYTES = 4_096;

describe('limits of the inbox', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    node = await cluster.start({
      session: { max_inbox: MAX_INBOX, max_inbox_bytes: MAX_INBOX_BYTES },
    });
  });
  afterAll(() => cluster.stop());

  /** A session whose first turn runs until `release` is called. */
  async function busySession(session_id: string) {
    let release = () => {};
    cluster.agent.behave(async (turn, { respond }) => {
      if (turn.message_id === 'm1') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      respond.json({ content: 'done' });
    });
    const client = await cluster.attach(node, { session_id });
    client.message('first', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.some(({ turn }) => turn.session_id === session_id));
    return { client, release: () => release() };
  }

  it('S4 B1 a full inbox refuses the next message and stores nothing', async () => {
    const { client, release } = await busySession('count');
    client.message('second', { message_id: 'm2' });
    client.message('third', { message_id: 'm3' });
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    const before = await readSession(node, 'count');
    client.message('fourth', { message_id: 'm4' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'inbox_full',
      retryable: true,
      message_id: 'm4',
    });
    expect(await readSession(node, 'count')).toEqual(before);
    expect(await cluster.inbox('count')).toEqual(['m1', 'm2', 'm3']);

    const posted = await fetch(`${node.url}/v1/sessions/count/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'fourth', message_id: 'm4' }),
    });
    expect([posted.status, posted.headers.has('retry-after')]).toEqual([429, true]);
    expect(await posted.json()).toMatchObject({ error: { code: 'inbox_full', retryable: true } });
    expect(await readSession(node, 'count')).toEqual(before);

    release();
    await client.final('m3');
    client.message('fourth', { message_id: 'm4' });
    const ack = await client.waitFor({ status: 'accepted', message_id: 'm4' });
    expect(ack).not.toHaveProperty('duplicate');
    expect(await client.final('m4')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('S4 B1 so does one whose bytes are used up, until they are free again', async () => {
    const { client, release } = await busySession('bytes');
    const half = 'x'.repeat(MAX_INBOX_BYTES / 2);
    client.message(half, { message_id: 'm2' });
    await client.waitFor({ status: 'accepted', message_id: 'm2' });
    const before = await readSession(node, 'bytes');
    client.message(half, { message_id: 'm3' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'inbox_full',
      retryable: true,
      message_id: 'm3',
    });
    expect(await readSession(node, 'bytes')).toEqual(before);
    // What fits is still taken.
    client.message('small', { message_id: 'm4' });
    await client.waitFor({ status: 'accepted', message_id: 'm4' });

    release();
    await client.final('m4');
    for (const message_id of ['m5', 'm6', 'm7']) {
      client.message(half, { message_id });
      expect(await client.final(message_id)).toMatchObject({ outcome: { status: 'ok' } });
    }
  });
});

describe('what a message may contain', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start();
    cluster.agent.behave(httpBehaviours.delayMs(0));
  });
  afterAll(() => cluster.stop());

  const refused: readonly [string, Record<string, unknown>, string][] = [
    ['an empty string', { content: '' }, 'content'],
    ['null', { content: null }, 'content'],
    ['nothing', {}, 'content'],
    ['a number', { content: 5 }, 'content'],
    ['zero', { content: 0 }, 'content'],
    ['true', { content: true }, 'content'],
    ['false', { content: false }, 'content'],
    ['a list', { content: ['hello'] }, 'content'],
    ['an empty list', { content: [] }, 'content'],
    ['an empty text', { text: '' }, 'content'],
    ['an unknown mode', { content: 'x', mode: 'soon' }, 'mode'],
    ['metadata that is no object', { content: 'x', metadata: 'red' }, 'metadata'],
  ];
  it.each(refused)('S5 is not %s, and the connection stays open', async (_what, fields, field) => {
    const client = await cluster.attach(node, { session_id: 'content' });
    const before = await readSession(node, 'content');
    client.send({ type: 'message', message_id: 'm1', ...fields });
    const error = await client.waitFor({ type: 'error' });
    expect(error).toMatchObject({ code: 'invalid_frame', field, message_id: 'm1' });
    expect(error.message).toEqual(expect.stringContaining(field));
    expect(error.retryable).toBe(false);
    expect(await readSession(node, 'content')).toMatchObject({ event_cursor: before.event_cursor });
    const id = client.message('good');
    await client.final(id);
    await client.close();
  });

  const taken: readonly [string, Record<string, unknown>, unknown][] = [
    ['a string', { content: 'hello' }, 'hello'],
    ['a blank', { content: ' ' }, ' '],
    ['an object', { content: { text: 'hi', parts: [1, { a: null }] } }, undefined],
    ['an empty object', { content: {} }, undefined],
    ['text', { text: 'by its other name' }, 'by its other name'],
  ];
  it.each(taken)('S5 is %s, and reaches the agent as it was sent', async (_what, fields, text) => {
    const client = await cluster.attach(node, { session_id: 'taken' });
    const from = cluster.agent.turns.length;
    // Without a type: it means message.
    client.send({ message_id: `m-${from}`, ...fields });
    await client.final(`m-${from}`);
    expect(cluster.agent.turns[from]?.turn.content).toEqual(text ?? fields.content);
    await client.close();
  });

  it.each(['', ' ', 'a b', 'ü', 'x'.repeat(129), 7])(
    'S5 X4 an unusable message_id is refused and not answered with: %j',
    async (message_id) => {
      const client = await cluster.attach(node, { session_id: 'ids' });
      client.send({ type: 'message', content: 'x', message_id });
      const error = await client.waitFor({ type: 'error' });
      expect(error).toMatchObject({ code: 'invalid_frame', field: 'message_id' });
      expect(error).not.toHaveProperty('message_id');
      expect(client.logged()).toEqual([]);
      await client.close();
    },
  );
});
