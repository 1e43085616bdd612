import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canMoveClocks, eventually, startRedis, type TestRedis } from '@sluice/testkit';

describe('the Redis of a test file', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('keeps what was written through a restart and through SIGKILL, on the same port', async () => {
    const client = redis.client();
    await client.set('kept', '1');
    await redis.restart();
    expect(await redis.client().get('kept')).toBe('1');
    await client.incr('kept');
    await redis.kill();
    await redis.start();
    expect(await redis.client().get('kept')).toBe('2');
  });

  it('never evicts and writes every command through', async () => {
    const client = redis.client();
    expect(await client.config('GET', 'maxmemory-policy')).toMatchObject([
      'maxmemory-policy',
      'noeviction',
    ]);
    expect(await client.config('GET', 'appendfsync')).toMatchObject(['appendfsync', 'always']);
  });

  it('answers nothing while paused, and everything afterwards', async () => {
    const client = redis.client();
    await client.ping();
    await redis.pause();
    let answered = false;
    const pong = client.ping().finally(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(answered).toBe(false);
    await redis.resume();
    expect(await pong).toBe('PONG');
  });

  it('refuses connections after stop, and leaves no connection of its clients', async () => {
    const other = await startRedis();
    const client = other.client();
    await client.ping();
    await other.stop();
    await eventually(() => client.status === 'end');
  });

  const where = canMoveClocks() ? it : it.skip;
  where('has a clock that is moved while it runs and between two runs', async () => {
    const moved = await startRedis({ movableClock: true });
    const client = moved.client();
    const behindMs = async () => Date.now() - Number((await client.time())[0]) * 1_000;
    expect(Math.abs(await behindMs())).toBeLessThan(5_000);
    await client.set('short', 'lived', 'PX', 30_000);
    moved.moveClock(-90_000);
    expect(Math.abs((await behindMs()) - 90_000)).toBeLessThan(5_000);
    expect(await client.pttl('short')).toBeGreaterThan(100_000);
    await moved.shutdown();
    moved.moveClock(60_000.5);
    await moved.start();
    await eventually(() => client.status === 'ready');
    expect(Math.abs((await behindMs()) + 60_000)).toBeLessThan(5_000);
    expect(await client.get('short')).toBeNull();
    await moved.stop();
  });
});
