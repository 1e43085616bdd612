import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sessionKeyId } from '@sluice/store';
import {
  eventually,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { dump } from '../support/scripts/scripts-world.js';

describe('a session over HTTP', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    node = await cluster.start({
      lease: { linger: '50ms' },
      gateway: { max_payload: '64KiB' },
      agents: { echo: { kind: 'echo' } },
    });
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));

  async function call(method: string, path: string, body?: unknown) {
    const response = await fetch(`${node.url}/v1/sessions/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: Record<string, unknown> = Object(await response.json());
    return { status: response.status, headers: response.headers, body: answer };
  }
  const post = (path: string, body: unknown) => call('POST', path, body);
  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);

  it('S1 POST starts a session and answers with the acknowledgement', async () => {
    const { status, body } = await post('posted/messages', {
      agent_id: 'slow',
      content: 'hello',
      message_id: 'm1',
      metadata: { channel: 'mail' },
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      type: 'response',
      status: 'accepted',
      content: 'Started processing.',
      session_id: 'posted',
      message_id: 'm1',
      position: 0,
      cursor: 1,
      durability: 'memory',
    });
    const client = await cluster.attach(node, { session_id: 'posted' });
    await client.final('m1');
    expect(gaps(client.logged())).toEqual([]);
    expect(turnsOf('posted')[0]?.turn).toMatchObject({
      content: 'hello',
      metadata: { channel: 'mail' },
    });
    // The second needs no agent_id, and makes an id when none was given.
    const second = await post('posted/messages', { text: 'again' });
    expect(second.status).toBe(202);
    await client.final(String(second.body.message_id));
  });

  it('S2 ?wait answers with the outcome, or with the acknowledgement when time is over', async () => {
    cluster.agent.behave((_turn, { respond }) =>
      respond.json({ content: 'reply', usage: { total_tokens: 7 } }),
    );
    const first = await post('waits/messages?wait=10', { agent_id: 'slow', content: 'hello' });
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      status: 'final',
      content: 'reply',
      outcome: { status: 'ok' },
      usage: { total_tokens: 7 },
      attempt: 1,
      cursor: 2,
    });
    cluster.agent.behave(httpBehaviours.delayMs(1_500));
    const late = await post('waits/messages?wait=0.3', { content: 'slowly', message_id: 'm2' });
    expect([late.status, late.body.status]).toEqual([202, 'accepted']);
    const again = await post('waits/messages?wait=10', { content: 'slowly', message_id: 'm2' });
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({
      status: 'final',
      message_id: 'm2',
      content: 'echo: slowly',
    });
    expect(turnsOf('waits')).toHaveLength(2);
  });

  it('S3 a repeat is answered as on the socket', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const message = { agent_id: 'slow', content: 'hello', message_id: 'm1' };
    const first = await post('repeats/messages', message);
    const repeat = await post('repeats/messages', message);
    const { cursor: _cursor, seq: _seq, ...rest } = first.body;
    expect(repeat).toMatchObject({ status: 202, body: { ...rest, duplicate: true } });
    expect(repeat.body).not.toHaveProperty('cursor');
    await eventually(() => turnsOf('repeats').length === 1);
    expect((await post('repeats/abort', {})).body).toMatchObject({ type: 'aborted' });
    await eventually(async () => (await cluster.inbox('repeats')).length === 0);
    const ended = await post('repeats/messages', message);
    expect(ended).toMatchObject({
      status: 200,
      body: { status: 'final', duplicate: true, outcome: { status: 'aborted' } },
    });
    expect(turnsOf('repeats')).toHaveLength(1);
  });

  it('T6 abort stops the running turn, and says when there is none', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    await post('stops/messages', { agent_id: 'slow', content: 'hello', message_id: 'm1' });
    await eventually(() => turnsOf('stops').length === 1);
    const waiting = post('stops/messages?wait=10', { content: 'hello', message_id: 'm1' });
    expect(await post('stops/abort', {})).toMatchObject({
      status: 200,
      body: { type: 'aborted', session_id: 'stops' },
    });
    expect(await waiting).toMatchObject({ status: 200, body: { outcome: { status: 'aborted' } } });
    expect(await post('stops/abort', {})).toMatchObject({
      status: 200,
      body: { type: 'no_active_turn', session_id: 'stops' },
    });
    await post('stops/messages', { content: 'again', message_id: 'm2' });
    await eventually(() => turnsOf('stops').length === 2);
    expect(await post('stops/messages', { text: 'stop' })).toMatchObject({
      status: 200,
      body: { type: 'aborted', session_id: 'stops' },
    });
    const nowhere = { text: '/stop', agent_id: 'slow' };
    expect((await post('nowhere/messages', nowhere)).status).toBe(404);
  });

  it('D9 DELETE ends the session; its id then names a new one', async () => {
    await post('ends/messages?wait=10', { agent_id: 'slow', content: 'hello' });
    const { epoch } = await readSession(node, 'ends');
    expect((await call('DELETE', 'ends')).status).toBe(200);
    expect(await call('GET', 'ends')).toMatchObject({
      status: 404,
      body: { error: { code: 'session_not_found', retryable: false } },
    });
    const client = await cluster.attach(node, { session_id: 'ends' });
    const hello = await client.waitFor({ type: 'hello_ok' });
    expect(hello).toMatchObject({ resumed: false, cursor: 0 });
    expect(Number(hello.epoch)).toBeGreaterThan(Number(epoch));
  });

  const refused: readonly [
    string,
    number,
    string,
    () => Promise<{ status: number; body: object }>,
  ][] = [
    ['POST without agent_id', 404, 'session_not_found', () => post('no/messages', { text: 'x' })],
    [
      'POST to an unknown agent',
      404,
      'agent_not_found',
      () => post('no/messages', { agent_id: 'nobody', text: 'x' }),
    ],
    ['POST of no content', 400, 'invalid_frame', () => post('no/messages', { agent_id: 'slow' })],
    ['POST of a list', 400, 'invalid_frame', () => post('no/messages', [])],
    ['a wait that is no number', 400, 'invalid_frame', () => post('no/messages?wait=x', {})],
    [
      'POST of too much',
      413,
      'payload_too_large',
      () => post('no/messages', { agent_id: 'slow', text: 'x'.repeat(70_000) }),
    ],
    ['GET', 404, 'session_not_found', () => call('GET', 'no')],
    ['GET of no id', 400, 'invalid_frame', () => call('GET', 'n%20o')],
    ['POST to no id', 400, 'invalid_frame', () => post('n%20o/messages', { text: 'x' })],
    ['DELETE', 404, 'session_not_found', () => call('DELETE', 'no')],
    ['abort', 404, 'session_not_found', () => post('no/abort', {})],
    ['events', 404, 'session_not_found', () => call('GET', 'no/events')],
  ];
  it.each(refused)(
    'S5 X2 refuses %s of a session that is not there',
    async (_, status, code, ask) => {
      const answer = await ask();
      expect(answer.status).toBe(status);
      expect(answer.body).toEqual({
        error: { code, message: expect.any(String), retryable: false },
      });
      expect(await redis.client().keys(`${cluster.prefix}:*:s:*.no:*`)).toEqual([]);
    },
  );

  it('X2 a session keeps its agent: 409, which asks nobody to log in again', async () => {
    await post('owned/messages?wait=10', { agent_id: 'slow', content: 'hello' });
    const other = await post('owned/messages', { agent_id: 'echo', content: 'hello' });
    expect(other).toMatchObject({
      status: 409,
      body: { error: { code: 'wrong_agent', retryable: false } },
    });
    expect((await readSession(node, 'owned')).messages).toHaveLength(2);
  });

  it('S2 ?wait names the outcome in a header, however the turn ended', async () => {
    const outcomeOf = async (id: string) => {
      const { status, headers, body } = await post('outcomes/messages?wait=10', {
        agent_id: 'slow',
        content: 'hello',
        message_id: id,
      });
      expect(status).toBe(200);
      expect(body).toMatchObject({ outcome: { status: headers.get('sluice-outcome') } });
      return headers.get('sluice-outcome');
    };
    expect(await outcomeOf('m1')).toBe('ok');
    cluster.agent.behave(httpBehaviours.fail({ status: 400 }));
    expect(await outcomeOf('m2')).toBe('error');
    expect(await outcomeOf('m1')).toBe('ok');
  });

  it('E7 reading a session changes nothing about it', async () => {
    cluster.agent.behave(httpBehaviours.stream({ format: 'sse', deltas: ['a', 'b'], everyMs: 30 }));
    await post('read/messages?wait=10', { agent_id: 'slow', content: 'hello' });
    await eventually(async () => (await readSession(node, 'read')).holder === null);
    const own = ([key]: [string, string]) => key.includes(`${sessionKeyId('local', 'read')}:`);
    const contents = async () =>
      Object.entries(await dump(redis.client(), cluster.prefix)).filter(own);
    const before = await contents();
    expect(before.length).toBeGreaterThanOrEqual(4);
    const first = await readSession(node, 'read');
    for (let i = 0; i < 3; i += 1) {
      expect(await readSession(node, 'read')).toEqual(first);
      const events = await fetch(`${node.url}/v1/sessions/read/events?since=0`);
      await events.body?.getReader().read();
      await events.body?.cancel().catch(() => undefined);
      await call('GET', 'read/events?since=x');
    }
    expect(await contents()).toEqual(before);
  });

  it('E7 reading a session that has work changes nothing about it either', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(node, { session_id: 'works' });
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    await eventually(() => turnsOf('works').length === 1);
    const before = await readSession(node, 'works');
    for (let i = 0; i < 20; i += 1) {
      client.send({ type: 'snapshot' });
      expect(await readSession(node, 'works')).toEqual(before);
    }
    await client.collect(20, { type: 'snapshot' });
    expect(await cluster.inbox('works')).toEqual(['m1', 'm2']);
    expect(turnsOf('works')).toHaveLength(1);
    client.send({ type: 'abort' });
    await client.final('m1');
  });
});
