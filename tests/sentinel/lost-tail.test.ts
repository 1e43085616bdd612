import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startSentinel,
  type TestSentinel,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

/** Where a client stands: what it says in its next `hello`. */
type Place = { readonly session_id: string; readonly since: number; readonly epoch: string };

let cluster: Cluster;
let node: GatewayProcess;
let redis: TestSentinel;

async function open(replicas: number): Promise<void> {
  redis = await startSentinel({ replicas });
  cluster = await Cluster.open(redis, { lease: { ttl: '3s' } });
  cluster.agent.behave(httpBehaviours.delayMs(0));
  node = await cluster.start();
}

async function attach(session_id: string): Promise<FrameClient> {
  return cluster.attach(node, { session_id });
}

async function say(client: FrameClient, message_id: string): Promise<void> {
  client.message(`content of ${message_id}`, { message_id });
  await client.final(message_id);
}

/** The place after the newest event that this client has seen. */
function placeOf(client: FrameClient, session_id: string): Place {
  const logged = client.logged();
  const since = Number(logged.at(-1)?.seq);
  const hello = client.frames.find(({ type }) => type === 'hello_ok');
  const epoch = client.frames.findLast(({ epoch: it }) => it !== undefined)?.epoch ?? hello?.epoch;
  return { session_id, since, epoch: String(epoch) };
}

async function helloOf(place: Place) {
  const client = await cluster.attach(node, place);
  const hello = await client.waitFor({ type: 'hello_ok' });
  return { client, hello };
}

const isReady = async () => (await fetch(`${node.url}/ready`)).status === 200;

describe('a failover that loses the tail of the log', () => {
  const survived: Record<string, Place> = {};
  const ahead: Record<string, Place> = {};
  let live: FrameClient;
  let running: FrameClient;
  beforeAll(async () => {
    await open(2);
    for (const id of ['even', 'ahead', 'written', 'again']) {
      const client = await attach(id);
      await say(client, 'kept');
      survived[id] = placeOf(client, id);
      client.close();
    }
    live = await attach('live');
    await say(live, 'kept');
    running = await attach('running');
    cluster.agent.behave(httpBehaviours.delayMs(2_500));
    running.message('long', { message_id: 'long' });
    await eventually(() => cluster.agent.turns.some(({ turn }) => turn.message_id === 'long'));
    await redis.cutReplicas();
    cluster.agent.behave(httpBehaviours.delayMs(0));
    for (const id of ['ahead', 'written', 'again', 'new']) {
      const client = await cluster.attach(node, survived[id] ?? { session_id: id });
      await say(client, 'lost');
      ahead[id] = placeOf(client, id);
      client.close();
    }
    await say(live, 'lost');
    await running.final('long', 10_000);
    const before = await redis.killPrimary();
    await redis.promoted(before);
    await eventually(isReady, 15_000);
  }, 90_000);
  afterAll(() => cluster.stop());

  it('E4 a client whose cursor is in the part that survived goes on without a resync', async () => {
    const { hello, client } = await helloOf(survived.even as Place);
    expect(hello.resync_required).toBe(false);
    await say(client, 'more');
    expect(client.logged().map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it('E2 E4 a client that is ahead of the log must resync, before anything is written', async () => {
    const { hello } = await helloOf(ahead.ahead as Place);
    expect(hello).toMatchObject({ resync_required: true });
    expect(hello.epoch).not.toBe(ahead.ahead?.epoch);
  });

  it('E2 E4 and after something was written in the place of what it has seen', async () => {
    const { client } = await helloOf(survived.written as Place);
    await say(client, 'other');
    await say(client, 'and-more');
    const now = placeOf(client, 'written');
    expect(now.since).toBeGreaterThan(ahead.written?.since ?? 0);
    expect(now.epoch).not.toBe(survived.written?.epoch);
    const { hello } = await helloOf(ahead.written as Place);
    expect(hello).toMatchObject({ resync_required: true, epoch: now.epoch });
  });

  it('E2 E4 a connection that is ahead gets a snapshot by itself, and a message lost is not in it', async () => {
    const told = await live.waitFor({ type: 'snapshot' });
    expect(JSON.stringify(told)).toContain('content of kept');
    expect(JSON.stringify(told)).not.toContain('content of lost');
  });

  it('S3 a message that was lost is accepted again under its id, and executed', async () => {
    const { client } = await helloOf(survived.again as Place);
    client.message('content of lost', { message_id: 'lost' });
    const accepted = await client.waitFor({ status: 'accepted', message_id: 'lost' });
    expect(accepted).not.toHaveProperty('duplicate');
    await client.final('lost');
  });

  it('E2 a session that was lost as a whole begins anew under another epoch', async () => {
    const { hello, client } = await helloOf(ahead.new as Place);
    expect(hello).toMatchObject({ resync_required: true });
    expect(hello.epoch).not.toBe(ahead.new?.epoch);
    await say(client, 'first');
  });

  it('S2 T7 a turn whose commit was lost is executed again, without any client', async () => {
    await eventually(async () => {
      const session = await readSession(node, 'running');
      return JSON.stringify(session).includes('"role":"assistant"');
    }, 20_000);
    const runs = cluster.agent.turns.filter(({ turn }) => turn.message_id === 'long');
    expect(runs.length).toBe(2);
    expect(await cluster.inbox('running')).toEqual([]);
  }, 30_000);
});

describe('a server that becomes the primary again', () => {
  beforeAll(() => open(1), 60_000);
  afterAll(() => cluster.stop());

  it('E2 draws new epochs: it may have lost in between what it had logged itself', async () => {
    const client = await attach('s');
    await say(client, 'kept');
    const survived = placeOf(client, 's');
    client.close();
    const first = await redis.primary();
    await redis.cutReplicas();
    const before = await cluster.attach(node, survived);
    await say(before, 'lost');
    const ahead = placeOf(before, 's');
    before.close();
    await redis.failover();
    await redis.settled();
    await redis.failover();
    expect((await redis.primary()).port).toBe(first.port);
    await eventually(isReady, 15_000);
    const writer = await cluster.attach(node, survived);
    await say(writer, 'other');
    const now = placeOf(writer, 's');
    expect(now.since).toBeGreaterThanOrEqual(ahead.since);
    const { hello } = await helloOf(ahead);
    expect(hello).toMatchObject({ resync_required: true });
  }, 90_000);
});
