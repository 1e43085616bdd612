import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, startSentinel, type TestSentinel } from '@sluice/testkit';
import { checkRedis } from '../../apps/cli/src/doctor/redis.js';
import { load } from '../support/edge/config-loaded.js';

describe('what sluice doctor says of sentinels', () => {
  let redis: TestSentinel;
  beforeAll(async () => {
    redis = await startSentinel({ replicas: 1 });
  }, 60_000);

  const nodes = () => redis.sentinels.map(({ port }) => `127.0.0.1:${port}`);
  /** What it finds that is not right, with the remedies. */
  async function faults(sentinel: object = {}): Promise<string[]> {
    const value = JSON.stringify({ name: redis.name, nodes: nodes(), ...sentinel });
    const found = await checkRedis(load({ flags: { 'redis.sentinel': value } }).redis);
    return found
      .filter(({ status, name }) => status !== 'ok' && (name === 'sentinels' || !name))
      .map(({ status, what, remedy }) => `${status} ${what}; ${remedy}`);
  }

  it('finds nothing wrong with three that agree', async () => {
    expect(await faults()).toEqual([]);
  });

  it('names too few, and those that are left out', async () => {
    expect((await faults({ nodes: nodes().slice(0, 2) })).join()).toMatch(
      /redis.sentinel.nodes has 2 of 3 sentinels; name all of them/,
    );
  });

  it('names a primary that nobody knows', async () => {
    expect((await faults({ name: 'other' })).join()).toMatch(
      /no sentinel knows a primary of that name; set redis.sentinel.name/,
    );
  });

  it('names one that does not answer, a majority that is lost, and a quorum that is out of reach', async () => {
    const [, second, third] = redis.sentinels;
    await third?.kill();
    const one = (await faults()).join('\n');
    expect(one).toMatch(/warn sentinel 127.0.0.1:\d+: .*; start it/);
    expect(one).not.toMatch(/FAIL/);
    await second?.kill();
    await eventually(async () => {
      const two = (await faults()).join('\n');
      expect(two).toMatch(/FAIL 1 of 3 sentinels answer: they cannot agree/);
      expect(two).toMatch(/FAIL NOQUORUM .*; start the other sentinels/);
    }, 15_000);
    await second?.start();
    await third?.start();
  }, 40_000);

  it('names a primary without a replica', async () => {
    const lonely = await startSentinel({ replicas: 0, sentinels: 2, quorum: 1 });
    const all = lonely.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const found = (await faults({ nodes: all })).join('\n');
    expect(found).toMatch(
      /FAIL the primary has no replica: a failover has nobody to promote; conn/,
    );
    expect(found).toMatch(
      /warn 2 sentinels: when one is lost, the rest has no majority; run three/,
    );
    await lonely.stop();
  }, 40_000);
});
