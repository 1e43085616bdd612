import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  GatewayFailed,
  type GatewayProcess,
  httpBehaviours,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { startMembers, urlsOf } from '../support/quorum.js';

const TTL_MS = 3_000;

const ready = async ({ url }: GatewayProcess) => {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, body: await response.json() };
};
const linesOf = ({ logs }: GatewayProcess, part: string) =>
  logs.filter(({ msg }) => String(msg).includes(part));

describe('nodes with a quorum of three', () => {
  let redis: TestRedis;
  let members: TestRedis[];
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    members = await startMembers(3);
    cluster = await Cluster.open(redis, {
      lease: { ttl: `${TTL_MS}ms`, quorum: urlsOf(members) },
    });
    node = await cluster.start();
  });
  afterEach(async () => {
    for (const member of members) await member.start();
    await eventually(async () => (await ready(node)).status === 200, 10_000);
  });
  afterAll(() => cluster.stop());

  const silence = () => Promise.all(members.slice(0, 2).map((member) => member.kill()));

  it('L1 runs turns, warm and cold, and has a connection to each member under its own name', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(5));
    const client = await cluster.attach(node, { session_id: 'first' });
    for (const message_id of ['m1', 'm2']) {
      client.message('hello', { message_id });
      await client.waitFor({ status: 'final', message_id });
    }
    for (const [at, member] of members.entries()) {
      const names = String(await member.client().client('LIST')).match(/name=sluice:\S+/g);
      expect(names).toEqual([`name=sluice:${node.nodeId}:quorum-${at + 1}`]);
    }
    const { lease } = cluster.sessionKeys('first');
    for (const member of members) expect(await member.client().exists(lease)).toBe(1);
    expect(await redis.client().exists(lease)).toBe(0);
  });

  it('C3 one member down changes nothing but a line in the log', async () => {
    await members[0]?.kill();
    await node.waitForLog(({ msg }) => msg === 'quorum member does not answer');
    expect((await ready(node)).status).toBe(200);
    const client = await cluster.attach(node, { session_id: 'one-down' });
    client.message('hello', { message_id: 'm1' });
    await client.waitFor({ status: 'final', message_id: 'm1' });
    await members[0]?.start();
    await node.waitForLog(({ msg }) => msg === 'quorum member answers again');
    expect(linesOf(node, 'quorum member')).toHaveLength(2);
  });

  it('C3 L1 without a majority it is not ready and takes no lease; then it goes on by itself, with one line each', async () => {
    const started = cluster.agent.turns.length;
    await silence();
    await eventually(async () => (await ready(node)).status === 503);
    expect((await ready(node)).body).toMatchObject({ failing: ['quorum'] });
    const client = await cluster.attach(node, { session_id: 'waits' });
    client.message('hello', { message_id: 'm1' });
    await client.waitFor({ status: 'accepted', message_id: 'm1' });
    await sleep(2_500);
    expect(cluster.agent.turns).toHaveLength(started);
    for (const member of members) await member.start();
    await client.waitFor({ status: 'final', message_id: 'm1' }, 10_000);
    expect(linesOf(node, 'no majority of the lease quorum')).toHaveLength(1);
    expect(linesOf(node, 'a majority of the lease quorum')).toHaveLength(1);
    // The third member may be connected to a moment later than the majority.
    const metrics = async () => await (await fetch(`${node.url}/metrics`)).text();
    await eventually(async () => /^sluice_quorum_members_answering 3$/m.test(await metrics()));
    const text = await metrics();
    expect(text).toMatch(/^sluice_quorum_members 3$/m);
    const rings = Number(/^sluice_rings_without_majority_total (\d+)$/m.exec(text)?.[1]);
    expect(rings).toBeGreaterThan(0);
    expect(rings).toBeLessThan(10);
  }, 30_000);

  it('L4 T3 a turn stops when its lease ends without a majority, and is begun again at no attempt', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const from = cluster.agent.turns.length;
    const client = await cluster.attach(node, { session_id: 'long' });
    client.message('hello', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === from + 1);
    await silence();
    const cut = cluster.agent.turns[from];
    await eventually(() => cut?.closedByPeer === true, TTL_MS + 2_000);
    await node.waitForLog(({ msg, why }) => msg === 'lease lost' && why === 'not renewed in time');
    cluster.agent.behave(httpBehaviours.delayMs(5));
    await sleep(1_000);
    expect(cluster.agent.turns).toHaveLength(from + 1);
    for (const member of members) await member.start();
    await client.waitFor({ status: 'final', message_id: 'm1' }, 10_000);
    expect(cluster.agent.turns.slice(from).map(({ turn }) => turn.attempt)).toEqual([1, 1]);
  }, 30_000);

  it('C1 L5 a killed holder is followed within the TTL and 2 s', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const from = cluster.agent.turns.length;
    const worker = await cluster.start();
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const client = await cluster.attach(edge, { session_id: 'taken' });
    client.message('hello', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === from + 1);
    const holder = Object(await redis.client().hget(cluster.sessionKeys('taken').state, 'holder'));
    cluster.agent.behave(httpBehaviours.delayMs(5));
    const victim = String(holder) === worker.nodeId ? worker : node;
    const killedMs = performance.now();
    await victim.kill();
    if (victim === node) node = worker;
    await client.waitFor({ status: 'final', message_id: 'm1' }, TTL_MS + 8_000);
    expect(performance.now() - killedMs).toBeLessThan(TTL_MS + 2_500);
  }, 30_000);

  it('D3 D5 a drain hands its turns and its idle leases over in under a second', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(5));
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const leaving = node;
    const next = await cluster.start({ gateway: { drain_timeout: '500ms' } });
    node = next;
    const client = await cluster.attach(edge, { session_id: 'moves' });
    client.message('hello', { message_id: 'm1' });
    await client.waitFor({ status: 'final', message_id: 'm1' });
    leaving.signal('SIGTERM');
    expect(await leaving.exited).toMatchObject({ code: 0 });
    const sentMs = performance.now();
    client.message('hello', { message_id: 'm2' });
    await client.waitFor({ status: 'final', message_id: 'm2' });
    expect(performance.now() - sentMs).toBeLessThan(1_000);

    cluster.agent.behave(httpBehaviours.hang());
    const from = cluster.agent.turns.length;
    client.message('hello', { message_id: 'm3' });
    await eventually(() => cluster.agent.turns.length === from + 1);
    node = await cluster.start();
    cluster.agent.behave(httpBehaviours.delayMs(5));
    next.signal('SIGTERM');
    await client.waitFor({ status: 'final', message_id: 'm3' }, 10_000);
    expect(await next.exited).toMatchObject({ code: 0 });
    const handed = await node
      .waitForLog(({ msg }) => msg === 'session handed over')
      .catch(() => undefined);
    if (handed) expect(Number(handed.pause_ms)).toBeLessThan(1_000);
    expect((await cluster.sessionEnds()).map(({ session_id }) => session_id)).toEqual(['moves']);
  }, 30_000);
});

describe('a member of a quorum', () => {
  it('X6 needs no more rights than docs/operate/security.md names', async () => {
    const redis = await startRedis();
    const members = await startMembers(3);
    const text = readFileSync('docs/operate/security.md', 'utf8');
    const line = /ACL SETUSER member (.*)/.exec(text)?.[1] ?? '';
    const rights = line.replace('>PASSWORD', '>rights-0123456789').split(' ');
    for (const member of members) {
      await member.client().call('ACL', 'SETUSER', 'member', ...rights);
    }
    const quorum = members.map(({ port }) => `redis://member:rights-0123456789@127.0.0.1:${port}`);
    const cluster = await Cluster.open(redis, {
      redis: { prefix: 'sluice' },
      lease: { ttl: '1s', linger: '2s', quorum },
      gateway: { drain_timeout: '1s', close_spread: '0s' },
    });
    try {
      const node = await cluster.start();
      const client = await cluster.attach(node, { session_id: 'rights' });
      cluster.agent.behave(httpBehaviours.delayMs(1_000)); // renewed while it runs
      await client.final(client.message('the first'));
      await sleep(1_000); // renewed together with others
      expect((await node.stop()).code).toBe(0);
      for (const member of members) {
        expect(await member.client().call('ACL', 'LOG')).toEqual([]);
        expect(await member.client().dbsize()).toBe(0);
      }
    } finally {
      await cluster.stop();
    }
  }, 30_000);
});

describe('a node does not start', () => {
  let redis: TestRedis;
  let members: TestRedis[];
  beforeAll(async () => {
    redis = await startRedis();
    members = await startMembers(3);
  });
  const failed = async (quorum: readonly string[], config = {}) => {
    const starting = startGateway({
      redisUrl: redis.url,
      config: { lease: { quorum }, agents: { e: { kind: 'echo' } }, ...config },
    });
    const error = await starting.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (!(error instanceof GatewayFailed)) throw new Error('it has started');
    return { code: error.exit?.code, output: error.output };
  };

  it('C3 with a quorum of which only a minority answers: status 75, and who is missing', async () => {
    await Promise.all(members.slice(1).map((member) => member.kill()));
    const { code, output } = await failed(urlsOf(members));
    for (const member of members) await member.start();
    expect(code).toBe(75);
    expect(output).toContain('lease.quorum: 1 of 3 members answer, 2 are needed');
    expect(output).toContain(`127.0.0.1:${members[1]?.port}`);
  }, 20_000);

  it('with one server under two addresses: status 78', async () => {
    const [a = '', b = ''] = urlsOf(members);
    const { code, output } = await failed([a, b, b.replace('127.0.0.1', 'localhost')]);
    expect(code).toBe(78);
    expect(output).toMatch(/are the same server; name an independent one/);
  });

  it('with a replica among the members: status 75', async () => {
    await members[2]?.client().replicaof('127.0.0.1', members[1]?.port ?? 0);
    const { code, output } = await failed(urlsOf(members));
    await members[2]?.client().replicaof('NO', 'ONE');
    expect(code).toBe(75);
    expect(output).toContain('this Redis is a replica');
  });
});
