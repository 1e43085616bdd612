import { once } from 'node:events';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  freePort,
  GatewayFailed,
  type GatewayOptions,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { startSluice } from '../support/cluster/sluice.js';

/** Starts a node that cannot start; returns its exit status and its output. */
async function refused(options: GatewayOptions) {
  const failure = await startGateway(options).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof GatewayFailed)) throw new Error(`it started: ${failure}`);
  return { code: failure.exit?.code, output: failure.output };
}

describe('exit statuses', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });

  it('0 for a clean stop', async () => {
    const node = await startGateway({ redisUrl: redis.url });
    expect(await node.stop()).toMatchObject({ code: 0, signal: null });
  });

  it('75 when Redis is not reachable at start, and the URL is said without its password', async () => {
    const port = await freePort();
    const { code, output } = await refused({ redisUrl: `redis://:hidden@127.0.0.1:${port}` });
    expect(code).toBe(75);
    expect(output).toContain(`redis://127.0.0.1:${port}`);
    expect(output).not.toContain('hidden');
  }, 15_000);

  it('78 for a configuration that cannot work, all faults at once', async () => {
    const config = { gateway: { drain_timout: '2s' }, lease: { ttl: 'soon' } };
    const { code, output } = await refused({ redisUrl: redis.url, config });
    expect(code).toBe(78);
    expect(output).toMatch(/drain_timout.*drain_timeout/);
    expect(output).toMatch(/lease\.ttl/);
  });

  it('X3 78 for an address that others reach, without authentication', async () => {
    const config = { gateway: { host: '0.0.0.0' } };
    const { code, output } = await refused({ redisUrl: redis.url, config });
    expect(code).toBe(78);
    expect(output).toMatch(/gateway\.auth/);
  });

  it('78 for data that was made with other partitions', async () => {
    const first = await startGateway({ redisUrl: redis.url, config: { redis: { prefix: 'p' } } });
    await first.stop();
    const config = { redis: { prefix: 'p', partitions: 32 } };
    const { code, output } = await refused({ redisUrl: redis.url, config });
    expect(code).toBe(78);
    expect(output).toMatch(/partitions is 32.*made with 64/);
    // The data is left as it was: the right configuration still works.
    const again = await startGateway({ redisUrl: redis.url, config: { redis: { prefix: 'p' } } });
    expect((await again.stop()).code).toBe(0);
  });

  it('78 for data of another layout version', async () => {
    await redis.client().hset('v:layout', 'version', '3', 'partitions', '64');
    const config = { redis: { prefix: 'v' } };
    const { code, output } = await refused({ redisUrl: redis.url, config });
    expect(code).toBe(78);
    expect(output).toMatch(/layout version 3/);
  });

  it.each([
    ['a wrong password', [], 75, /WRONGPASS.*; correct the user and the password of redis\.url/],
    ['missing rights', ['resetchannels'], 78, /NOPERM.*; give this user the rights/],
    ['a key of another program', [], 78, /WRONGTYPE.*; .*another redis\.prefix/],
  ])('%s in Redis is one line that says what to do', async (what, rights, status, told) => {
    await redis.client().set('taken:layout', 'something else');
    const user = ['on', '>right-0123', '~*', '&*', '+@all', ...rights];
    await redis.client().call('ACL', 'SETUSER', 'probe', 'reset', ...user);
    const password = what === 'a wrong password' ? 'wrong-0123' : 'right-0123';
    const prefix = what.startsWith('a key') ? 'taken' : 'free';
    const url = `redis://probe:${password}@127.0.0.1:${redis.port}`;
    const { code, output } = await refused({ redisUrl: url, config: { redis: { prefix } } });
    expect(output).toMatch(told);
    expect(output).not.toMatch(/\n\s+at |-0123/);
    expect(code).toBe(status);
  });

  it('78 for a Redis in cluster mode', async () => {
    const cluster = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const { code, output } = await refused({ redisUrl: cluster.url });
    expect(output).toMatch(/cluster mode/);
    expect(code).toBe(78);
  });

  it('a Redis that may evict is warned of at start', async () => {
    await redis.client().config('SET', 'maxmemory-policy', 'allkeys-lru');
    const node = await startGateway({ redisUrl: redis.url });
    await redis.client().config('SET', 'maxmemory-policy', 'noeviction');
    expect(node.logs).toContainEqual(
      expect.objectContaining({ level: 'warn', policy: 'allkeys-lru' }),
    );
    await node.stop();
  });

  it('a second node under one node_id is warned of, and session_end.groups may be []', async () => {
    const config = { gateway: { node_id: 'twin' }, session_end: { stream: 'ends', groups: [] } };
    const first = await startGateway({ redisUrl: redis.url, config });
    const second = await startGateway({ redisUrl: redis.url, config });
    await Promise.all([first.stop(), second.stop()]);
    const warned = ({ logs }: typeof first) => logs.filter(({ msg }) => /node_id/.test(`${msg}`));
    expect([warned(first).length, warned(second).length]).toEqual([0, 1]);
    expect(await redis.client().type('ends')).toBe('stream');
    expect(await redis.client().xinfo('GROUPS', 'ends')).toEqual([]);
  });

  it('D7 0 at once when it is told to stop while it still waits for Redis', async () => {
    await redis.pause();
    try {
      const { child, status } = startSluice(['start', '--redis.url', redis.url]);
      // The first line warns that there is no `auth`; from that moment on the node hears signals.
      await once(child.stdout, 'data');
      await sleep(300);
      const since = performance.now();
      child.kill('SIGTERM');
      expect(await status).toBe(0);
      expect(performance.now() - since).toBeLessThan(2_000);
    } finally {
      await redis.resume();
    }
  });
});
