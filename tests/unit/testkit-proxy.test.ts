import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  matchScript,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Redis, type RedisOptions } from 'ioredis';

const lua = "return redis.call('INCR', KEYS[1])";

describe.each([2, 3] as const)('the proxy, RESP%d', (protocol) => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  const clients: Redis[] = [];
  const connect = (options: RedisOptions = {}) => {
    const client = new Redis(proxy.url, {
      protocol,
      // Only with 0 does a command fail at once when its reply is lost.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 20,
      disconnectTimeout: 100,
      ...options,
    });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    await redis.client().flushall();
    proxy = await startTcpProxy(redis.port);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    await proxy.stop();
  });

  it('lets the matching command be executed and swallows exactly its reply', async () => {
    const client = connect();
    await client.ping();
    const cut = proxy.cutReply(([name, key]) => name?.toUpperCase() === 'INCR' && key === 'b');
    const replies = await Promise.allSettled([
      client.set('a', 'x'),
      client.hgetall('missing'),
      client.get('missing'),
      client.incr('b'),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    await cut.done;
    expect(cut.hits).toBe(1);
    expect(await redis.client().get('b')).toBe('1');
    expect(await client.incr('b')).toBe(2);
  });

  it('takes a script that Redis did not know yet for not executed', async () => {
    await redis.client().script('FLUSH');
    const client = connect();
    client.defineCommand('bump', { lua, numberOfKeys: 1 });
    const cut = proxy.cutReply(matchScript(lua));
    await expect(Reflect.apply(Reflect.get(client, 'bump'), client, ['n'])).rejects.toThrow();
    expect(cut.hits).toBe(1);
    expect(await redis.client().get('n')).toBe('1');
  });

  it('destroys the connection before a matching request is executed', async () => {
    const client = connect();
    proxy.cutRequest(([name]) => name?.toUpperCase() === 'INCR');
    await expect(client.incr('c')).rejects.toThrow();
    expect(await redis.client().get('c')).toBeNull();
  });

  it('counts replies after nested and empty ones of every kind', async () => {
    const client = connect();
    await client.xadd('s', '1-0', 'k', 'v\r\n$-1\r\n');
    await client.rpush('l', '', 'a'.repeat(200_000));
    const cut = proxy.cutReply(([name]) => name?.toUpperCase() === 'ECHO');
    const pipeline = client.pipeline().xrange('s', '-', '+').lrange('l', 0, -1).lrange('no', 0, -1);
    const [events, list, empty] = (await pipeline.exec()) ?? [];
    expect(events?.[1]).toEqual([['1-0', ['k', 'v\r\n$-1\r\n']]]);
    expect(list?.[1]).toEqual(['', 'a'.repeat(200_000)]);
    expect(empty?.[1]).toEqual([]);
    await expect(client.echo('x')).rejects.toThrow();
    expect(cut.hits).toBe(1);
  });

  it('passes publish/subscribe through', async () => {
    const client = connect();
    const heard = new Promise((resolve) => client.on('message', (_, text) => resolve(text)));
    await client.subscribe('channel');
    await redis.client().publish('channel', 'hello');
    expect(await heard).toBe('hello');
  });

  it('refuses, delays and holds', async () => {
    const client = connect();
    await client.ping();
    proxy.latency(120);
    const before = performance.now();
    await client.ping();
    expect(performance.now() - before).toBeGreaterThan(110);
    proxy.latency(0);

    proxy.blackhole(true);
    const held = client.set('held', '1');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await redis.client().get('held')).toBeNull();
    proxy.blackhole(false);
    expect(await held).toBe('OK');

    await proxy.refuse(true);
    expect(await client.ping()).toBe('PONG');
    proxy.cutAll();
    await expect(connect({ retryStrategy: () => null }).ping()).rejects.toThrow();
    await proxy.refuse(false);
    expect(await client.ping().catch(() => client.ping())).toBe('PONG');
  });

  it('silences and cuts connections by their name, also those made later', async () => {
    const named = (part: string) => connect({ connectionName: `sluice:n1:${part}` });
    const [commands, ring] = [named('commands'), named('ring')];
    await Promise.all([commands.ping(), ring.ping()]);
    expect(proxy.names()).toEqual(['sluice:n1:commands', 'sluice:n1:ring']);

    proxy.silence('ring', true);
    const later = named('ring').get('later');
    const held = ring.set('held', '1');
    expect(await commands.ping()).toBe('PONG');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await redis.client().get('held')).toBeNull();
    expect(proxy.commands.get('GET')).toBeUndefined();
    proxy.silence('ring', false);
    expect(await held).toBe('OK');
    expect(await later).toBeNull();

    proxy.reject(/commands$/, true);
    await expect(commands.ping().catch(() => commands.ping())).rejects.toThrow();
    expect(await ring.ping()).toBe('PONG');
    expect(proxy.names()).not.toContain('sluice:n1:commands');
    proxy.reject(/commands$/, false);
    await new Promise((resolve) => commands.once('ready', resolve));
    expect(await commands.ping()).toBe('PONG');
  });

  it('abandons connections for ever, and leads new ones elsewhere', async () => {
    const heir = await startRedis();
    const first = connect({ connectionName: 'sluice:n1:ring', commandTimeout: 200 });
    await first.set('of', 'the first');
    proxy.abandon('ring');
    proxy.target(heir.port);
    await expect(first.ping()).rejects.toThrow('timed out');
    proxy.silence('ring', false);
    await expect(first.ping()).rejects.toThrow('timed out');
    expect(await connect({ connectionName: 'sluice:n1:ring' }).get('of')).toBeNull();
    await heir.stop();
  });

  it('lets no reply overtake another, whatever the latency was meanwhile', async () => {
    const client = connect();
    await client.ping();
    const sent = Array.from({ length: 600 }, (_, n) => `${n}`);
    const echoes: Promise<string>[] = [];
    for (const n of sent) {
      proxy.latency([7, 0, 3, 1][Number(n) % 4] ?? 0);
      echoes.push(client.echo(n));
      // Sent 0.3 ms apart: less than the latencies, so that the due times of replies are close together.
      const until = performance.now() + 0.3;
      while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(echoes)).toEqual(sent);
  });

  it('shows each request with its connection', async () => {
    const client = connect();
    const seen: unknown[] = [];
    proxy.watch((request, connection) => seen.push([connection, ...request]));
    await client.set('a', '1');
    expect(seen).toContainEqual([1, 'set', 'a', '1']);
    expect(proxy.commands.get('SET')).toBe(1);
  });
});
