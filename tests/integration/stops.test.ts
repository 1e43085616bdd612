import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { isStopAnswer, stopInSession, wrongWith } from '../support/cluster/stopping.js';

const stopped = { outcome: { status: 'aborted', reason: 'user' } };

describe('stops', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  /** Has no worker: it accepts messages that no node runs. */
  let idle: Cluster;
  let edge: GatewayProcess;
  let otherEdge: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    const long = { kind: 'echo', delay_ms: 600_000 };
    cluster = await Cluster.open(redis, {
      worker: { concurrency: 3 },
      agents: { limited: { ...long, max_concurrent: 1 }, long },
    });
    idle = await Cluster.open(redis, { gateway: { roles: ['edge'] } });
    [node, edge, otherEdge] = await Promise.all([cluster.start(), idle.start(), idle.start()]);
  });
  afterAll(() => Promise.all([cluster.stop(), idle.stop()]));

  const answersOf = (client: FrameClient) => client.frames.filter(isStopAnswer);
  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);

  it('T6 a stop that is sent together with its message stops it', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(2_000));
    const client = await cluster.attach(node, { session_id: 'together' });
    for (let n = 0; n < 20; n += 1) {
      client.message('too soon', { message_id: `m${n}` });
      client.send({ type: 'abort' });
      const answer = await client.waitFor(
        (frame) => isStopAnswer(frame) && answersOf(client).length > n,
      );
      expect(answersOf(client)[n]).toMatchObject({ type: 'aborted', message_id: `m${n}` });
      expect(answer).toMatchObject({ session_id: 'together' });
      expect(await client.final(`m${n}`)).toMatchObject(stopped);
    }
    // An outcome never comes before the answer to the stop that caused it.
    const order = client.frames.filter((frame) => isStopAnswer(frame) || frame.status === 'final');
    expect(order.map(({ message_id }) => message_id)).toEqual(
      Array.from({ length: 20 }, (_, n) => [`m${n}`, `m${n}`]).flat(),
    );
    expect(gaps(client.logged())).toEqual([]);
  });

  it('T6 stops at random moments stop what they were meant for, or nothing', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(10));
    const second = await cluster.start();
    const sessions = Array.from({ length: 4 }, (_, at) =>
      stopInSession(cluster, [node, second], { session_id: `r${at}`, rounds: 5, seed: at }),
    );
    const rounds = (await Promise.all(sessions)).flat();
    await second.kill();
    expect(rounds.map(wrongWith).filter(Boolean)).toEqual([]);
  });

  it('T6 a message that waits for a permit or a slot is stopped, and its agent never asked', async () => {
    const first = await cluster.attach(node, { session_id: 'first', agent_id: 'limited' });
    first.message('holds the permit', { message_id: 'm1' });
    await eventually(async () =>
      expect(await readSession(node, 'first')).toMatchObject({ is_executing: true }),
    );
    const second = await cluster.attach(node, { session_id: 'second', agent_id: 'limited' });
    second.message('waits for it', { message_id: 'm2' });
    await second.waitFor({ status: 'accepted', message_id: 'm2' });
    second.send({ type: 'abort' });
    expect(await second.waitFor({ type: 'aborted' })).toMatchObject({ message_id: 'm2' });
    expect(await second.final('m2')).toMatchObject({ ...stopped, turn_id: '', attempt: 0 });

    const busy = await Promise.all(
      ['busy-1', 'busy-2'].map((session_id) =>
        cluster.attach(node, { session_id, agent_id: 'long' }),
      ),
    );
    for (const client of busy) client.message('holds a slot', { message_id: 'm1' });
    await eventually(async () =>
      expect(await readSession(node, 'busy-2')).toMatchObject({ is_executing: true }),
    );
    const third = await cluster.attach(node, { session_id: 'third' });
    third.message('waits for a slot', { message_id: 'm3' });
    third.send({ type: 'abort' });
    expect(await third.waitFor({ type: 'aborted' })).toMatchObject({ message_id: 'm3' });
    expect(await third.final('m3')).toMatchObject(stopped);
    expect(turnsOf('third')).toEqual([]);

    for (const client of [first, ...busy]) {
      client.send({ type: 'abort', message_id: 'm1' });
      expect(await client.final('m1')).toMatchObject(stopped);
    }
  });

  it('T6 the message that is named is stopped, whatever stands before it', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(300));
    const client = await cluster.attach(node, { session_id: 'named' });
    for (const message_id of ['m1', 'm2', 'm3']) client.message('in a row', { message_id });
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    client.send({ type: 'abort', message_id: 'm2' });
    expect(await client.waitFor({ type: 'aborted' })).toMatchObject({ message_id: 'm2' });
    expect(await client.final('m2')).toMatchObject(stopped);
    for (const id of ['m1', 'm3']) {
      expect(await client.final(id)).toMatchObject({ outcome: { status: 'ok' } });
    }
    expect(turnsOf('named').map(({ turn }) => turn.message_id)).toEqual(['m1', 'm3']);
    // The agent does not see the stopped message, even if its node has read the history before.
    expect(turnsOf('named').at(-1)?.turn.history).toHaveLength(2);
    const { messages } = await readSession(node, 'named');
    expect(messages).toContainEqual(expect.objectContaining({ message_id: 'm2', role: 'user' }));
    client.send({ type: 'abort', message_id: 'm1' });
    const answer = { type: 'no_active_turn', message_id: 'm1', reason: 'ended' };
    expect(await client.waitFor({ type: 'no_active_turn' })).toMatchObject(answer);
    client.send({ type: 'abort', message_id: 'm2' });
    await eventually(() => expect(answersOf(client)).toHaveLength(3));
    expect(answersOf(client)[2]).toMatchObject({ type: 'aborted', message_id: 'm2' });
    client.send({ type: 'abort', message_id: 'never-sent', abort_id: 'a9' });
    await eventually(() => expect(answersOf(client)).toHaveLength(4));
    const unknown = { message_id: 'never-sent', reason: 'unknown', abort_id: 'a9' };
    expect(answersOf(client)[3]).toMatchObject({ type: 'no_active_turn', ...unknown });
  });

  it.each([
    ['abort', { type: 'abort', abort_id: 'a1' }],
    ['stop', { type: 'message', content: 'stop', message_id: 'a1' }],
  ])('T6 a repeated %s gets the first answer and stops nothing else', async (name, frame) => {
    const session_id = `again-${name}`;
    const client = await idle.attach(edge, { session_id });
    for (const message_id of ['m1', 'm2']) client.message('waits', { message_id });
    client.send(frame);
    const answer = { type: 'aborted', session_id, message_id: 'm1', abort_id: 'a1' };
    expect(await client.waitFor({ type: 'aborted' })).toEqual(answer);
    client.cut();
    const after = await idle.attach(otherEdge, { session_id });
    after.send(frame);
    expect(await after.waitFor({ type: 'aborted' })).toEqual(answer);
    expect(await idle.inbox(session_id)).toEqual(['m2']);
  });

  it('T6 a stop that found nothing finds nothing when it is repeated', async () => {
    const client = await idle.attach(edge, { session_id: 'nothing' });
    const answer = { type: 'no_active_turn', session_id: 'nothing', abort_id: 's1' };
    client.send({ content: '/stop', message_id: 's1' });
    expect(await client.waitFor({ type: 'no_active_turn' })).toEqual(answer);
    client.message('later', { message_id: 'm1' });
    client.send({ content: '/stop', message_id: 's1' });
    await eventually(() => expect(answersOf(client)).toEqual([answer, answer]));
    expect(await idle.inbox('nothing')).toEqual(['m1']);
  });

  it('T6 over HTTP the body names message and abort', async () => {
    const client = await idle.attach(edge, { session_id: 'http' });
    for (const message_id of ['m1', 'm2', 'm3']) client.message('waits', { message_id });
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    const post = async (path: string, body?: string) => {
      const url = `${edge.url}/v1/sessions/http/${path}`;
      const response = await fetch(url, { method: 'POST', ...(body ? { body } : {}) });
      return { status: response.status, body: await response.json() };
    };
    const named = JSON.stringify({ message_id: 'm2', abort_id: 'a2', reason: 'changed my mind' });
    const answer = { type: 'aborted', session_id: 'http', message_id: 'm2', abort_id: 'a2' };
    expect(await post('abort', named)).toEqual({ status: 200, body: answer });
    const reason = 'changed my mind';
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'aborted', reason } });
    expect(await post('abort')).toMatchObject({ body: { type: 'aborted', message_id: 'm1' } });
    const word = JSON.stringify({ content: 'stop', message_id: 's1' });
    for (const _ of ['first', 'again']) {
      const body = { type: 'aborted', message_id: 'm3', abort_id: 's1' };
      expect(await post('messages', word)).toMatchObject({ status: 200, body });
    }
    expect(await post('abort', '[]')).toMatchObject({ status: 400 });
    expect(await post('abort', '{"message_id":"no good"}')).toMatchObject({ status: 400 });
  });

  it('T6 a head whose node is gone is stopped at once', async () => {
    const own = await Cluster.open(redis, {
      lease: { ttl: '1s' },
      worker: { sweep_interval: '60s' },
    });
    const [worker, front] = await Promise.all([
      own.start(),
      own.start({ gateway: { roles: ['edge'] } }),
    ]);
    own.agent.behave(httpBehaviours.hang());
    const client = await own.attach(front, { session_id: 'gone' });
    for (const message_id of ['m1', 'm2']) client.message('hangs', { message_id });
    await eventually(() => own.agent.turns.length > 0);
    await worker.kill();
    await eventually(async () =>
      expect(await readSession(front, 'gone')).toMatchObject({ is_executing: false }),
    );
    client.send({ type: 'abort' });
    expect(await client.waitFor({ type: 'aborted' })).toMatchObject({ message_id: 'm1' });
    expect(await client.final('m1')).toMatchObject({ ...stopped, attempt: 1 });
    own.agent.behave(httpBehaviours.delayMs(1));
    await own.start();
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
    await own.stop();
  });

  it('P1 a message of a paused session is not called started', async () => {
    const path = `${edge.url}/v1/sessions/paused`;
    const client = await idle.attach(edge, { session_id: 'paused' });
    await fetch(`${path}/pause`, { method: 'POST' });
    client.message('waits', { message_id: 'm1' });
    const accepted = { content: 'Message queued.', position: 0 };
    expect(await client.waitFor({ status: 'accepted' })).toMatchObject(accepted);
    client.message('waits', { message_id: 'm1' });
    expect(await client.waitFor({ duplicate: true })).toMatchObject(accepted);
    const second = await idle.attach(otherEdge, { session_id: 'paused' });
    expect(await second.waitFor({ type: 'replay' })).toMatchObject({ event: { data: accepted } });
    client.send({ type: 'abort' });
    expect(await client.final('m1')).toMatchObject(stopped);
    await fetch(`${path}/resume`, { method: 'POST' });
    client.message('goes on', { message_id: 'm2' });
    const started = { message_id: 'm2', content: 'Started processing.' };
    expect(await client.waitFor({ status: 'accepted', message_id: 'm2' })).toMatchObject(started);
  });
});
