import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

describe('turns of one session', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    const path = fileURLToPath(new URL('../support/agents/deaf-agent.mjs', import.meta.url));
    node = await cluster.start({ agents: { deaf: { kind: 'module', path } } });
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));

  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);
  const idsOf = (session_id: string) => turnsOf(session_id).map(({ turn }) => turn.message_id);
  const started = (session_id: string, message_id: string) =>
    eventually(() => idsOf(session_id).includes(message_id));

  it('T1 ten messages at once are executed one at a time, in order', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(200));
    const client = await cluster.attach(node, { session_id: 'ten' });
    const ids = Array.from({ length: 10 }, (_, i) => `m${i}`);
    for (const message_id of ids) client.message(`text ${message_id}`, { message_id });
    const finals = await client.collect(10, { status: 'final' });
    expect(finals.map(({ message_id, content }) => [message_id, content])).toEqual(
      ids.map((id) => [id, `echo: text ${id}`]),
    );
    const acks = await client.collect(10, { status: 'accepted' });
    expect(acks.map(({ message_id }) => message_id)).toEqual(ids);
    expect(gaps(client.logged())).toEqual([]);
    const thinking = client.frames.filter(({ type }) => type === 'status');
    expect(thinking).toHaveLength(acks.filter(({ position }) => position !== 0).length);
    expect(thinking.length).toBeGreaterThanOrEqual(8);
    expect(thinking[0]).toMatchObject({
      source: 'slow',
      message: "Thinking... (I've added your new message to the queue to process next).",
    });

    const turns = turnsOf('ten');
    expect(turns.map(({ turn }) => turn.message_id)).toEqual(ids);
    expect(turns.map(({ turn }) => turn.attempt)).toEqual(ids.map(() => 1));
    for (const [i, turn] of turns.slice(1).entries()) {
      const before = turns[i]?.endedAt?.monotonicMs ?? Number.POSITIVE_INFINITY;
      expect(turn.startedAt.monotonicMs).toBeGreaterThanOrEqual(before - 1);
      expect(turn.turn.history).toHaveLength(2 * (i + 1));
    }
  });

  it('T1 what one connection sends is accepted in that order, by a Redis that knows no script', async () => {
    const fresh = await Cluster.open(await startRedis());
    const own = await fresh.start();
    const client = await fresh.attach(own, { session_id: 'many' });
    const ids = Array.from({ length: 200 }, (_, i) => `m${i}`);
    for (const message_id of ids) client.message(message_id, { message_id });
    const acks = await client.collect(ids.length, { status: 'accepted' });
    expect(acks.map(({ message_id }) => message_id)).toEqual(ids);
    const finals = await client.collect(ids.length, { status: 'final' });
    expect(finals.map(({ message_id }) => message_id)).toEqual(ids);
    await fresh.stop();
  });

  it('T1 sessions do not wait for one another', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const held = await cluster.attach(node, { session_id: 'held' });
    held.message('first');
    await eventually(() => idsOf('held').length === 1);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const other = await cluster.attach(node, { session_id: 'other' });
    await other.final(other.message('second'));
    held.send({ type: 'abort' });
    await held.waitFor({ status: 'final' });
  });

  it('T1 interrupt aborts the running turn and goes before what waits, after other interrupts', async () => {
    // The agent ignores its signal for a given time: all interrupts wait while it is being aborted.
    const client = await cluster.attach(node, { session_id: 'interrupt', agent_id: 'deaf' });
    client.message('700', { message_id: 'm1' });
    await client.waitFor({ type: 'token_stream' });
    client.message('1', { message_id: 'm2' });
    client.message('2', { message_id: 'i1', mode: 'interrupt' });
    client.message('3', { message_id: 'i2', mode: 'interrupt' });
    client.message('4', { message_id: 'm3' });
    const acks = await client.collect(5, { status: 'accepted' });
    expect(acks.map(({ message_id, position }) => [message_id, position])).toEqual([
      ['m1', 0],
      ['m2', 1],
      ['i1', 1],
      ['i2', 2],
      ['m3', 4],
    ]);
    expect(await cluster.inbox('interrupt')).toEqual(['m1', 'i1', 'i2', 'm2', 'm3']);
    const finals = await client.collect(5, { status: 'final' });
    expect(finals.map(({ message_id, outcome }) => [message_id, outcome])).toEqual([
      ['m1', { status: 'aborted', reason: 'interrupt' }],
      ['i1', { status: 'ok' }],
      ['i2', { status: 'ok' }],
      ['m2', { status: 'ok' }],
      ['m3', { status: 'ok' }],
    ]);
  });

  it('T1 interrupt cuts the running turn off at its agent', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(node, { session_id: 'cut' });
    client.message('running', { message_id: 'm1' });
    await started('cut', 'm1');
    cluster.agent.behave(httpBehaviours.delayMs(0));
    client.message('urgent', { message_id: 'i1', mode: 'interrupt' });
    expect(await client.final('i1')).toMatchObject({ outcome: { status: 'ok' } });
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(turnsOf('cut')[0]).toMatchObject({ closedByPeer: true });
    expect(idsOf('cut')).toEqual(['m1', 'i1']);
  });

  it('T1 interrupt without a running turn just starts one', async () => {
    const client = await cluster.attach(node, { session_id: 'idle' });
    const id = client.message('urgent', { mode: 'interrupt' });
    expect(await client.final(id)).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T2 the message stays at the head of the inbox until its turn commits', async () => {
    let release = () => {};
    cluster.agent.behave(async (_turn, { respond }) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      respond.json({ content: 'reply' });
    });
    const client = await cluster.attach(node, { session_id: 'head' });
    client.message('first', { message_id: 'm1', metadata: { n: 1 } });
    await started('head', 'm1');
    client.message({ text: 'second' }, { message_id: 'm2' });
    await client.waitFor({ status: 'accepted', message_id: 'm2' });
    const [turn] = turnsOf('head');
    const during = await readSession(node, 'head');
    expect(during).toMatchObject({
      session_id: 'head',
      agent_id: 'slow',
      pending_inbox: ['first', { text: 'second' }],
      is_executing: true,
      holder: node.nodeId,
      fence: turn?.turn.fence,
      attempt: 1,
      event_cursor: 2,
      messages: [],
      events: [],
    });
    const onTheSocket = await cluster.attach(node, { session_id: 'head' });
    onTheSocket.send({ type: 'snapshot' });
    const { state } = await onTheSocket.waitFor({ type: 'snapshot' });
    expect(state).toMatchObject({ pending_inbox: ['first', { text: 'second' }], event_cursor: 2 });

    release();
    await client.final('m1');
    await started('head', 'm2');
    expect(await readSession(node, 'head')).toMatchObject({
      pending_inbox: [{ text: 'second' }],
      is_executing: true,
      event_cursor: 3,
      messages: [
        { role: 'user', content: 'first', message_id: 'm1' },
        { role: 'assistant', content: 'reply', message_id: 'm1', outcome: { status: 'ok' } },
      ],
    });
    release();
    await client.final('m2');
    expect(await readSession(node, 'head')).toMatchObject({
      pending_inbox: [],
      is_executing: false,
      event_cursor: 4,
    });
  });
});
