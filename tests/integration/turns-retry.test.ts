import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

const dead = { status: 503 };

describe('an agent that fails', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    const remote = { kind: 'http', url: cluster.agent.url };
    node = await cluster.start({
      worker: { max_attempts: 1 },
      agents: {
        slow: { ...remote, retry: { initial: '100ms', factor: 2, max: '10s' } },
        brief: { ...remote, retry: { initial: '20ms', max: '50ms', for: '1s' } },
        patient: { ...remote, retry: { initial: '30s', factor: 1, max: '30s' } },
      },
    });
  });
  afterAll(() => cluster.stop());
  afterEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));

  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);

  /** The agent fails the message m1, and answers every other one. */
  function failFirst() {
    const { fail, delayMs } = httpBehaviours;
    cluster.agent.behave((turn, context) =>
      (turn.message_id === 'm1' ? fail(dead) : delayMs(0))(turn, context),
    );
  }

  it('T5 is asked again with backoff, under a new lease and as a new attempt each time', async () => {
    const stream = { format: 'ndjson', deltas: ['half ', 'a reply'] } as const;
    const client = await cluster.attach(node, { session_id: 'retried' });
    let asked = 0;
    cluster.agent.behave(async (turn, context) => {
      asked += 1;
      const breakAfter = async (delta: string) => {
        context.respond.stream('ndjson').delta(delta);
        await client.waitFor({ type: 'token_stream' });
        context.respond.break();
      };
      if (asked === 1) return breakAfter('void');
      if (asked === 2) return context.respond.status(503);
      return httpBehaviours.stream({ ...stream, everyMs: 40 })(turn, context);
    });
    client.message('hello', { message_id: 'm1' });
    const final = await client.final('m1');
    expect(final).toMatchObject({
      outcome: { status: 'ok' },
      content: 'half a reply',
      attempt: 3,
    });

    const turns = turnsOf('retried');
    expect(turns.map(({ turn }) => turn.attempt)).toEqual([1, 2, 3]);
    expect(new Set(turns.map(({ turn }) => turn.fence)).size).toBe(3);
    expect(new Set(turns.map(({ turn }) => turn.turn_id)).size).toBe(3);
    const pauses = turns.slice(1).map(({ startedAt }, i) => {
      return startedAt.monotonicMs - (turns[i]?.endedAt?.monotonicMs ?? Number.NaN);
    });
    // Up to half of a delay is taken off by chance.
    expect(pauses[0]).toBeGreaterThanOrEqual(45);
    expect(pauses[1]).toBeGreaterThanOrEqual(95);

    const retries = client.logged().filter(({ type }) => type === 'retry_stream');
    expect(retries.map(({ data }) => data)).toEqual(
      turns.slice(1).map(({ turn: { turn_id, attempt } }) => ({
        session_id: 'retried',
        message_id: 'm1',
        turn_id,
        attempt,
      })),
    );
    // A client shows the text since the last retry_stream.
    const logged = client.logged();
    const last = logged.findLastIndex(({ type }) => type === 'retry_stream');
    const tokens = logged.slice(last).filter(({ type }) => type === 'token_stream');
    expect(tokens.map(({ data }) => Object(data).content).join('')).toBe('half a reply');
    expect(tokens.length).toBeGreaterThan(0);
    for (const { data } of tokens)
      expect(data).toMatchObject({ turn_id: final.turn_id, attempt: 3 });
    expect(logged.slice(0, last).some(({ type }) => type === 'token_stream')).toBe(true);
    expect(gaps(logged)).toEqual([]);
  });

  it('T5 T4 ends as a dead letter when it has failed for retry.for, and the session goes on', async () => {
    failFirst();
    const client = await cluster.attach(node, { session_id: 'dead', agent_id: 'brief' });
    client.message('poison', { message_id: 'm1' });
    client.message('next', { message_id: 'm2' });
    const reason = 'the agent answered with status 503';
    expect(await client.final('m1')).toMatchObject({
      outcome: { status: 'dead_lettered', reason },
      content: '',
    });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' }, attempt: 1 });
    const attempts = turnsOf('dead').length - 1;
    expect(attempts).toBeGreaterThan(1);
    expect(turnsOf('dead').map(({ turn }) => [turn.message_id, turn.attempt])).toEqual([
      ...Array.from({ length: attempts }, (_, at) => ['m1', at + 1]),
      ['m2', 1],
    ]);
    await node.waitForLog(({ msg }) => msg === 'dead letter');
    expect(node.logs.find(({ msg }) => msg === 'dead letter')).toMatchObject({
      ...{ level: 'warn', session_id: 'dead', agent: 'brief', attempt: attempts },
      why: 'agent_failed',
    });
    const told = node.logs.find(
      ({ msg, agent }) => msg === 'agent fails, messages are tried again' && agent === 'brief',
    );
    expect(told).toMatchObject({ level: 'warn', attempts: 1 });
    const listed = await fetch(`${node.url}/v1/dead-letters`);
    expect(await listed.json()).toMatchObject({
      dead_letters: [{ session_id: 'dead', message_id: 'm1', reason, attempts }],
    });
  });

  it('T5 is not asked again before its Retry-After', async () => {
    cluster.agent.behave(httpBehaviours.fail({ ...dead, times: 1, retryAfter: '3' }));
    const client = await cluster.attach(node, { session_id: 'later' });
    const final = await client.final(client.message('hello'));
    expect(final).toMatchObject({ outcome: { status: 'ok' }, attempt: 2 });
    const [first, second] = turnsOf('later');
    const endedMs = first?.endedAt?.monotonicMs ?? Number.NaN;
    expect((second?.startedAt.monotonicMs ?? 0) - endedMs).toBeGreaterThanOrEqual(2_950);
  });

  it('T5 ends with outcome error when the failure is terminal, and the session goes on', async () => {
    cluster.agent.behave(httpBehaviours.fail({ status: 400, times: 1 }));
    const client = await cluster.attach(node, { session_id: 'terminal' });
    client.message('wrong', { message_id: 'm1' });
    client.message('right', { message_id: 'm2' });
    expect(await client.final('m1')).toMatchObject({
      outcome: { status: 'error', reason: 'the agent answered with status 400' },
      attempt: 1,
    });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
    expect(turnsOf('terminal').map(({ turn }) => turn.message_id)).toEqual(['m1', 'm2']);
    expect(turnsOf('terminal')[1]?.turn.history).toMatchObject([
      { role: 'user', content: 'wrong' },
      { role: 'assistant', outcome: { status: 'error' } },
    ]);
  });

  it('T5 T6 an abort ends the wait for the next attempt at once', async () => {
    cluster.agent.behave(httpBehaviours.fail(dead));
    const client = await cluster.attach(node, { session_id: 'waiting', agent_id: 'patient' });
    client.message('hello', { message_id: 'm1' });
    await eventually(() => turnsOf('waiting')[0]?.endedAt != null);
    // The wait is in Redis: nobody holds the session meanwhile.
    await eventually(async () => (await readSession(node, 'waiting')).holder === null);
    client.send({ type: 'abort' });
    expect(await client.final('m1', 5_000)).toMatchObject({ outcome: { status: 'aborted' } });
    expect(turnsOf('waiting')).toHaveLength(1);
  });

  it('T5 T6 so does a message that interrupts', async () => {
    failFirst();
    const client = await cluster.attach(node, { session_id: 'urgent', agent_id: 'patient' });
    client.message('hello', { message_id: 'm1' });
    await eventually(() => turnsOf('urgent')[0]?.endedAt != null);
    await eventually(async () => (await readSession(node, 'urgent')).holder === null);
    const sentMs = performance.now();
    client.message('urgent', { message_id: 'm2', mode: 'interrupt' });
    expect(await client.final('m1', 5_000)).toMatchObject({ outcome: { status: 'aborted' } });
    // Its own ring brings it: the sweep would come after 2 s.
    expect(performance.now() - sentMs).toBeLessThan(1_900);
    expect(await client.final('m2', 5_000)).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T5 a turn that waits holds no slot and no permit, and outlives its node and a drain', async () => {
    const agents = {
      slow: {
        ...{ kind: 'http', url: cluster.agent.url, max_concurrent: 1 },
        retry: { initial: '2s', factor: 1, max: '2s' },
      },
    };
    const own = await Cluster.open(redis, { worker: { concurrency: 1 }, agents });
    const one = await own.start();
    cluster.agent.behave((turn, { respond }) =>
      turn.content === 'fails' && turn.attempt < 3
        ? respond.status(503)
        : respond.json({ content: 'well' }),
    );
    const client = await own.attach(one, { session_id: 'waits' });
    client.message('fails', { message_id: 'm1' });
    await eventually(() => turnsOf('waits').length === 1);
    const beside = await own.attach(one, { session_id: 'beside' });
    const startedMs = performance.now();
    await beside.final(beside.message('well'));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    const two = await own.start();
    await eventually(() => turnsOf('waits').length === 2, 10_000);
    await eventually(async () => (await readSession(two, 'waits')).holder === null);
    await one.stop();
    const after = await own.attach(two, { session_id: 'waits' });
    expect(await after.final('m1', 10_000)).toMatchObject({
      outcome: { status: 'ok' },
      attempt: 3,
    });
    await own.stop();
  });

  it('T5 B1 with retry.for 0 a failure is the last', async () => {
    const strict = await Cluster.open(redis, { slow: { retry: { for: '0s' } } });
    const own = await strict.start();
    strict.agent.behave(httpBehaviours.fail(dead));
    const client = await strict.attach(own, { session_id: 'strict' });
    client.message('hello', { message_id: 'm1' });
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'dead_lettered' } });
    expect(strict.agent.turns).toHaveLength(1);
    await strict.stop();
  });
});
