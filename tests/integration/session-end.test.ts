import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openStore, sessionKeyId } from '@sluice/store';
import {
  addressOf,
  eventually,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { pino } from 'pino';
import { Cluster, readSession } from '../support/cluster/cluster.js';

describe('ending a session', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, { lease: { ttl: '15s' } });
    const path = fileURLToPath(new URL('../support/agents/deaf-agent.mjs', import.meta.url));
    node = await cluster.start({ agents: { deaf: { kind: 'module', path } } });
  });
  afterAll(() => cluster.stop());

  const call = async (method: string, path: string) => {
    const response = await fetch(`${node.url}/v1/sessions/${path}`, { method });
    return { status: response.status, body: await response.json() };
  };

  it('D9 aborts what runs, cancels what waits, and records the end', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(node, { session_id: 's' });
    const ids = ['m1', 'm2', 'm3'];
    for (const id of ids) client.message(id, { message_id: id });
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    await eventually(() => cluster.agent.turns.length === 1);
    const before = await readSession(node, 's');

    const endedAt = performance.now();
    expect(await call('DELETE', 's')).toMatchObject({ status: 200 });
    const end = await client.waitFor({ type: 'session_end' });
    const outcomes = client.frames.filter(({ status }) => status === 'final');
    expect(outcomes.map(({ message_id, outcome }) => [message_id, outcome])).toEqual([
      ['m1', { status: 'aborted', reason: 'session_ended' }],
      ['m2', { status: 'cancelled', reason: 'session_ended' }],
      ['m3', { status: 'cancelled', reason: 'session_ended' }],
    ]);
    expect(gaps(client.logged())).toEqual([]);
    expect(client.logged().at(-1)).toEqual(end);
    expect(end.data).toMatchObject({
      session_id: 's',
      reason: 'Ended by client',
      had_pending_work: true,
      was_executing: true,
      continues: false,
    });
    await eventually(() => cluster.agent.turns[0]?.closedByPeer === true);
    expect(performance.now() - endedAt).toBeLessThan(2_000);
    const [entry, ...more] = await cluster.sessionEnds();
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      session_id: 's',
      reason: 'Ended by client',
      reason_code: 'client_end',
      had_pending_work: 'true',
      was_executing: 'true',
      pending_count: '3',
      continues: 'false',
      cursor: String(end.cursor),
      epoch: before.epoch,
    });
    expect(node.logs.filter(({ msg }) => msg === 'lease lost')).toEqual([]); // an end is no fault
  });

  it('D9 leaves nothing that any path reaches', async () => {
    const client = await cluster.attach(node, { session_id: 'gone' });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    await client.final(client.message('hello'));
    expect((await call('DELETE', 'gone')).status).toBe(200);
    await client.waitFor({ type: 'session_end' });
    const missing = { status: 404, body: { error: { code: 'session_not_found' } } };
    expect(await call('DELETE', 'gone')).toMatchObject(missing);
    expect(await call('GET', 'gone')).toMatchObject(missing);
    expect(await call('GET', 'gone/events')).toMatchObject(missing);
    expect(await call('POST', 'gone/abort')).toMatchObject(missing);
    expect(await call('DELETE', 'never-existed')).toMatchObject(missing);
    expect(await cluster.sessionEnds()).toHaveLength(2);
  });

  it('D9 answers frames of its connections, and a later hello starts anew', async () => {
    const client = await cluster.attach(node, { session_id: 'again' });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    await client.final(client.message('old', { message_id: 'm1' }));
    const before = await readSession(node, 'again');
    await call('DELETE', 'again');
    await client.waitFor({ type: 'session_end' });
    client.message('too late', { message_id: 'm2' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'session_ended',
      retryable: false,
      message_id: 'm2',
    });
    const from = client.frames.length;
    // Like a client that still knows its position.
    const hello = await client.hello({
      agent_id: 'slow',
      session_id: 'again',
      since: before.event_cursor,
      epoch: before.epoch,
    });
    expect(hello).toMatchObject({ resumed: false, cursor: 0, pending: 0 });
    expect(BigInt(String(hello.epoch))).toBeGreaterThan(BigInt(String(before.epoch)));
    // The same id in the new session is another message.
    client.message('new', { message_id: 'm1' });
    const isFinal = (frame: { status?: string }) => frame.status === 'final';
    await eventually(() => client.frames.slice(from).some(isFinal));
    const final = client.frames.slice(from).find(isFinal);
    expect(final).toMatchObject({ message_id: 'm1', content: 'echo: new', cursor: 2 });
    const after = await readSession(node, 'again');
    expect(after.messages).toHaveLength(2);
    expect(Number(after.fence)).toBeGreaterThan(Number(before.fence));
  });

  it('D9 takes nothing from an agent that goes on', async () => {
    const client = await cluster.attach(node, { session_id: 'deaf', agent_id: 'deaf' });
    client.message('1000', { message_id: 'm1' });
    await node.waitForLog(({ msg }) => msg === 'deaf agent began');
    await call('DELETE', 'deaf');
    await client.waitFor({ type: 'session_end' });
    const next = await cluster.attach(node, { session_id: 'deaf', agent_id: 'deaf' });
    await node.waitForLog(({ msg }) => msg === 'deaf agent replied');
    next.message('1', { message_id: 'm2' });
    await next.final('m2');
    expect(next.logged().map(({ type, message_id }) => message_id ?? type)).toEqual([
      ...['m2', 'token_stream', 'stream_end', 'm2'],
    ]);
    expect(client.logged().at(-1)?.type).toBe('session_end');
  });

  it('D4 C2 is copied by the sweep when the node died before it could', async () => {
    const client = await cluster.attach(node, { session_id: 'uncopied' });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    await client.final(client.message('hello'));
    // Only the script of the end is called: like a node that is killed right after it.
    const known = (await cluster.sessionEnds()).length;
    const { ends } = await endOnly('uncopied');
    const isCopied = async () => (await cluster.sessionEnds()).length === known + 1;
    await eventually(isCopied, 10_000);
    const entry = (await cluster.sessionEnds()).at(-1);
    expect(entry).toMatchObject({ session_id: 'uncopied', reason_code: 'client_end' });
    await eventually(async () => (await redis.client().llen(ends)) === 0);
  }, 15_000);

  async function endOnly(sessionId: string): Promise<{ ends: string }> {
    const none = Number.MAX_SAFE_INTEGER;
    const store = await openStore({
      address: addressOf(redis.url),
      prefix: cluster.prefix,
      partitions: 64,
      nodeId: 'dies',
      limits: {
        ...{ ttlMs: 1_000, maxAttempts: 3, maxHandOvers: 3, maxInbox: none, maxInboxBytes: none },
        ...{
          maxEvents: 1_000,
          maxLogBytes: 1_000_000,
          maxMessages: 1_000,
          maxSeen: 1_000,
          maxDead: 1,
        },
        resumeWindowMs: 60_000,
      },
      sweepIntervalMs: 1_000,
      sessionEnd: { stream: cluster.stream, maxLength: 1_000, groups: [] },
      log: pino({ level: 'silent' }),
    });
    const ref = { principal: 'local', sessionId };
    const by = { callId: 'call', reason: 'Ended by client', reasonCode: 'client_end' } as const;
    expect(await store.sessions.end(ref, by)).toBeDefined();
    await store.close();
    return cluster.keys.session(sessionKeyId(ref.principal, ref.sessionId));
  }
});
