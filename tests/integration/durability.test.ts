import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startGateway,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const ack = (client: FrameClient, message_id: string) =>
  client.waitFor({ status: 'accepted', message_id });

/** A cluster on this Redis whose acknowledgements wait for `level`. */
async function open(redis: TestRedis, level: string) {
  const cluster = await Cluster.open(redis, { redis: { durability: level } });
  cluster.agent.behave(httpBehaviours.delayMs(0));
  return { cluster, node: await cluster.start() };
}

describe('redis.durability aof', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    ({ cluster, node } = await open(await startRedis(), 'aof'));
  });
  afterAll(() => cluster.stop());

  it('S1 an acknowledgement names it to the sender alone, on the socket and over HTTP', async () => {
    const sender = await cluster.attach(node, { session_id: 's' });
    const other = await cluster.attach(node, { session_id: 's' });
    sender.message('one', { message_id: 'm1' });
    expect(await ack(sender, 'm1')).toMatchObject({ durability: 'aof' });
    expect(await ack(other, 'm1')).not.toHaveProperty('durability');
    const post = await fetch(`${node.url}/v1/sessions/s/messages`, {
      method: 'POST',
      body: JSON.stringify({ message_id: 'm2', content: 'two' }),
    });
    expect(await post.json()).toMatchObject({ status: 'accepted', durability: 'aof' });
    await sender.final('m2');
    sender.message('one', { message_id: 'm1' });
    const repeat = { status: 'accepted', message_id: 'm1', duplicate: true };
    expect(await sender.waitFor(repeat)).toMatchObject({ durability: 'aof' });
    expect(gaps(sender.logged().filter(({ duplicate }) => duplicate !== true))).toEqual([]);
  });
});

describe('redis.durability replica', () => {
  let replica: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    const redis = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    const of = ['--replicaof', '127.0.0.1', String(redis.port)];
    replica = await startRedis({ args: of });
    await eventually(async () => /state=online/.test(await redis.client().info('replication')));
    ({ cluster, node } = await open(redis, 'replica'));
  });
  afterAll(() => cluster.stop());

  it('S1 is named when a replica has the message, and not when the wait was in vain', async () => {
    const sender = await cluster.attach(node, { session_id: 's' });
    const other = await cluster.attach(node, { session_id: 's' });
    sender.message('one', { message_id: 'm1' });
    expect(await ack(sender, 'm1')).toMatchObject({ durability: 'replica' });

    await sender.final('m1');
    await replica.pause();
    sender.message('two', { message_id: 'm2' });
    // A connection that did not send it does not wait.
    await other.final('m2');
    expect(sender.frames.some(({ message_id }) => message_id === 'm2')).toBe(false);
    expect(await ack(sender, 'm2')).toMatchObject({ durability: 'memory' });
    await sender.final('m2');

    await replica.resume();
    sender.message('three', { message_id: 'm3' });
    expect(await ack(sender, 'm3')).toMatchObject({ durability: 'replica' });
    await sender.final('m3');
    expect(gaps(sender.logged())).toEqual([]);
    expect(sender.logged().map(({ status, message_id }) => [status, message_id])).toEqual(
      ['m1', 'm2', 'm3'].flatMap((id) => [
        ['accepted', id],
        ['final', id],
      ]),
    );
  });

  it('S1 S3 a message that is sent again at once is not acknowledged sooner', async () => {
    const sender = await cluster.attach(node, { session_id: 'twice' });
    for (let i = 0; i < 2; i += 1) sender.message('one', { message_id: 'm1' });
    await sender.waitFor({ status: 'accepted', message_id: 'm1', duplicate: true });
    expect(await sender.final('m1')).not.toHaveProperty('duplicate');
    const acks = sender.frames.filter(({ status }) => status === 'accepted');
    expect(acks.map(({ duplicate, durability }) => [duplicate, durability])).toEqual([
      [undefined, 'replica'],
      [true, 'replica'],
    ]);
  });

  it('S1 acknowledgements of many messages share their waits', async () => {
    const sender = await cluster.attach(node, { session_id: 'many' });
    const before = await waits();
    for (let i = 0; i < 200; i += 1) sender.message('more', { message_id: `n${i}` });
    const acks = await sender.collect(200, { status: 'accepted', durability: 'replica' });
    expect(acks).toHaveLength(200);
    expect((await waits()) - before).toBeLessThan(200);
  });

  it('S1 is named again when a replica comes back that was away while the connection was made anew', async () => {
    const client = cluster.redis.client();
    const id = async () =>
      /^id=(\d+).* name=sluice:\S+:durability /m.exec(String(await client.client('LIST')))?.[1];
    const sender = await cluster.attach(node, { session_id: 'anew' });
    await replica.kill();
    const before = await id();
    await client.client('KILL', 'ID', String(before));
    await eventually(async () => ![undefined, before].includes(await id()));
    sender.message('alone', { message_id: 'a0' });
    expect(await ack(sender, 'a0')).toMatchObject({ durability: 'memory' });
    await replica.start();
    let n = 0;
    await eventually(async () => {
      n += 1;
      sender.message('again', { message_id: `a${n}` });
      return (await ack(sender, `a${n}`)).durability === 'replica';
    }, 15_000);
  });

  async function waits(): Promise<number> {
    const stats = await cluster.redis.client().info('commandstats');
    return Number(/^cmdstat_wait:calls=(\d+)/m.exec(stats)?.[1]);
  }
});

describe('redis.durability replica, while another server becomes the primary', () => {
  const replicated = async () => {
    const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    const online = (count: number) =>
      eventually(async () => {
        const info = await primary.client().info('replication');
        return (info.match(/state=online/g)?.length ?? 0) === count;
      }, 15_000);
    await online(1);
    return { primary, online };
  };
  let cluster: Cluster;
  let node: GatewayProcess;
  let proxy: TcpProxy;
  let home: TestRedis;
  let online: (count: number) => Promise<unknown>;
  beforeAll(async () => {
    ({ primary: home, online } = await replicated());
    proxy = await startTcpProxy(home.port);
    const config = { redis: { durability: 'replica', url: proxy.url } };
    cluster = await Cluster.open(home, config);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    node = await cluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  it('S1 a wait at another server than the one with the message says nothing', async () => {
    const sender = await cluster.attach(node, { session_id: 's' });
    sender.message('one', { message_id: 'm1' });
    expect(await ack(sender, 'm1')).toMatchObject({ durability: 'replica' });
    const { primary: elsewhere } = await replicated();
    const client = elsewhere.client();
    const isThere = async () => /:durability /.test(String(await client.client('LIST')));
    proxy.target(elsewhere.port);
    proxy.reject('durability', true);
    proxy.reject('durability', false);
    await eventually(isThere);
    sender.message('two', { message_id: 'm2' });
    expect(await ack(sender, 'm2')).toMatchObject({ durability: 'memory' });
  }, 20_000);

  it('S1 is named only when every connected replica has the message: any may be promoted', async () => {
    proxy.target(home.port);
    proxy.cutAll();
    const second = await startRedis({ args: ['--replicaof', '127.0.0.1', String(home.port)] });
    await online(2);
    await eventually(async () => (await fetch(`${node.url}/ready`)).status === 200, 10_000);
    const sender = await cluster.attach(node, { session_id: 't' });
    const levelOf = async (message_id: string) => {
      sender.message('more', { message_id });
      return (await ack(sender, message_id)).durability;
    };
    let count = 0;
    await eventually(async () => (await levelOf(`w${count++}`)) === 'replica', 10_000);
    await second.pause();
    await eventually(async () => (await levelOf(`w${count++}`)) === 'memory', 10_000);
    await second.kill();
    await online(1);
    await eventually(async () => (await levelOf(`w${count++}`)) === 'replica', 10_000);
  }, 60_000);
});

describe('a Redis that cannot do what redis.durability asks', () => {
  it.each([
    ['aof', ['--appendonly', 'no'], 'set appendonly yes'],
    ['replica', [], 'connect one'],
  ])('S1 stops the start with 78: %s', async (durability, args, remedy) => {
    const redis = await startRedis({ args });
    const config = { redis: { url: redis.url, durability } };
    await expect(startGateway({ config })).rejects.toMatchObject({
      exit: { code: 78 },
      output: expect.stringContaining(remedy),
    });
  });
});
