import { describe, expect, it } from '@jest/globals';
import { type Admittance, makeRateLimit } from '../../apps/gateway/src/edge/limits/rate-limit.js';

/** A bucket as `rate-draw.lua` keeps it, on a clock that the test moves. */
function limitOf({ burst, fillMs }: { burst: number; fillMs: number }) {
  let nowMs = 1_000;
  let tokens = burst;
  let atMs = nowMs;
  const drawn: number[] = [];
  const limit = makeRateLimit({
    bucket: { burst, fillMs },
    draw: async (_subject, want) => {
      tokens = Math.min(burst, tokens + ((nowMs - atMs) * burst) / fillMs);
      atMs = nowMs;
      const got = Math.min(want, Math.floor(tokens));
      tokens -= got;
      drawn.push(got);
      return { tokens: got, waitMs: got < want ? 100 : 0 };
    },
    liveNodes: () => 1,
    nowMs: () => nowMs,
  });
  return {
    limit,
    drawn,
    pass: (ms: number) => {
      nowMs += ms;
    },
    take: async (cost: number): Promise<Admittance> => limit.take('alice', cost),
  };
}

describe('a bucket that is drawn from by weight', () => {
  it('X5 a burst passes as many requests as there are tokens, and then as many as come in', async () => {
    const { take, pass } = limitOf({ burst: 200, fillMs: 2_000 });
    const passed = async (cost: number) => {
      let count = 0;
      while ((await take(cost)).kind === 'admitted') count += 1;
      return count;
    };
    expect(await passed(20)).toBe(10);
    pass(1_000);
    expect(await passed(5)).toBe(20);
  });

  it('X5 reads are paid afterwards: the next one waits until they are', async () => {
    const { limit, take, pass } = limitOf({ burst: 200, fillMs: 2_000 });
    expect((await take(2)).kind).toBe('admitted');
    limit.charge('alice', 500); // 5 s
    expect(limit.owesForMs('alice')).toBeGreaterThan(1_000);
    const refused = await take(2);
    expect(refused).toMatchObject({ kind: 'refused' });
    let waitedMs = 0;
    while ((await take(2)).kind === 'refused' && waitedMs < 10_000) {
      pass(100);
      waitedMs += 100;
    }
    expect(waitedMs).toBeGreaterThanOrEqual(2_500);
    expect(waitedMs).toBeLessThanOrEqual(5_000);
  });

  it('X5 a principal that has used the last token owes nothing', async () => {
    const { limit, take, pass } = limitOf({ burst: 20, fillMs: 20_000 });
    while ((await take(2)).kind === 'admitted');
    pass(2_000);
    expect((await take(2)).kind).toBe('admitted');
    expect(limit.owesForMs('alice')).toBe(0);
    expect((await take(2)).kind).toBe('refused');
    expect(limit.emptyForMs('alice')).toBeGreaterThan(0);
  });

  it('X5 a request that costs more than the burst passes when the bucket is full', async () => {
    const { take } = limitOf({ burst: 10, fillMs: 1_000 });
    expect((await take(50)).kind).toBe('admitted');
    expect(await take(1)).toMatchObject({ kind: 'refused' });
  });
});
