import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exitStatus, StartError } from '@sluice/runtime';
import { LAYOUT_VERSION } from '@sluice/store';
import { GatewayFailed, startGateway, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { openTestStore } from '../support/scripts/scripts-world.js';

describe('the layout of the data in Redis', () => {
  let redis: TestRedis;
  let client: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    client = redis.client();
  });
  beforeEach(async () => {
    await client.flushall();
  });

  async function refusal(options: { prefix?: string; partitions?: number }): Promise<StartError> {
    const opened = await openTestStore(redis.url, options).catch((error: unknown) => error);
    if (opened instanceof StartError) return opened;
    throw new Error('was opened');
  }

  it('is written by the first node, and fits every other', async () => {
    await openTestStore(redis.url, { partitions: 8 });
    await openTestStore(redis.url, { partitions: 8 });
    expect(await client.hgetall('sluice:layout')).toEqual({
      version: String(LAYOUT_VERSION),
      partitions: '8',
      id: expect.stringMatching(/^data_/),
    });
  });

  it('is refused with another partition count, and left as it is', async () => {
    await openTestStore(redis.url, { partitions: 8 });
    const error = await refusal({ partitions: 16 });
    expect(error.status).toBe(exitStatus.config);
    expect(error.message).toContain('set redis.partitions to 8');
    expect(await client.hget('sluice:layout', 'partitions')).toBe('8');
    await openTestStore(redis.url, { prefix: 'another', partitions: 16 });
  });

  it('is refused in another version', async () => {
    await client.hset('sluice:layout', 'version', LAYOUT_VERSION + 1, 'partitions', 8);
    const error = await refusal({ partitions: 8 });
    expect(error.status).toBe(exitStatus.config);
    expect(error.message).toContain(`layout version ${LAYOUT_VERSION + 1}`);
  });

  it('is taken over from the release before, once none of its nodes runs', async () => {
    await client.hset('sluice:layout', 'version', 1, 'partitions', 8, 'id', 'data_old');
    const [seconds] = await client.time();
    await client.hset('sluice:nodes', 'old-1', `${Number(seconds) * 1_000} worker {}`);
    const error = await refusal({ partitions: 8 });
    expect(error.status).toBe(exitStatus.config);
    expect(error.message).toMatch(/old-1.*drain them first/);
    expect(await client.hget('sluice:layout', 'version')).toBe('1');

    await client.hset('sluice:nodes', 'old-1', `${(Number(seconds) - 10) * 1_000} worker {}`);
    await openTestStore(redis.url, { partitions: 8 });
    expect(await client.hgetall('sluice:layout')).toMatchObject({ version: '2', id: 'data_old' });
  });

  it('ends a gateway that it does not fit, with status 78', async () => {
    await client.hset('sluice:layout', 'version', LAYOUT_VERSION, 'partitions', 8);
    const config = { agents: { echo: { kind: 'echo' } }, redis: { partitions: 16 } };
    const started = startGateway({ redisUrl: redis.url, config });
    const error: unknown = await started.catch((failed: unknown) => failed);
    if (!(error instanceof GatewayFailed)) throw new Error('became ready');
    expect(error.exit?.code).toBe(78);
    expect(error.output).toContain('set redis.partitions to 8');
    expect(error.output).not.toContain('    at ');
  });
});
