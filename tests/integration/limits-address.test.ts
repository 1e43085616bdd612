import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis, startTcpProxy, type TcpProxy, type TestRedis } from '@sluice/testkit';
import { makeClientAddress } from '../../apps/gateway/src/edge/access/client-address.js';
import { addressSubject, makeEdgeRates } from '../../apps/gateway/src/edge/limits/rates.js';
import { client, started } from '../support/edge/edge-started.js';
import { openTestStore } from '../support/scripts/scripts-world.js';

const none = {
  messagesPerSecond: 0,
  burst: 1,
  sessionsPerMinute: 0,
  requestsPerSecond: 0,
  requestBurst: 1,
  framesPerSecond: 0,
  principalFramesPerSecond: 0,
};
const limits = { ...none, upgradesPerMinute: 20, unauthenticatedPerMinute: 6 };

describe('X5 upgrades of one address', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  beforeEach(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    proxy = await startTcpProxy(redis.port);
  });

  /** A node behind a trusted balancer on loopback; its limits are in the shared Redis. */
  async function startNode(store: Store) {
    const told = { liveNodes: () => 2, onRefused: () => {}, onOwed: () => {} };
    const rates = makeEdgeRates(store.rates, { rateLimit: limits }, told);
    return started({ auth: true, rates, clientAddress: makeClientAddress(['127.0.0.0/8']) });
  }

  /** Connects this many times, to one node after the other; returns the close codes and the frames before them. */
  async function connect(
    urls: readonly string[],
    times: number,
    { from, token }: { from: string | undefined; token: string },
  ) {
    // An address that the client made up, and the one that the balancer added.
    const headers: Record<string, string> = {};
    if (from !== undefined) Object.assign(headers, { 'x-forwarded-for': ['198.51.100.1', from] });
    const answers: { code: number; told: unknown }[] = [];
    for (let i = 0; i < times; i += 1) {
      const made = client(`${urls[i % urls.length]}?token=${token}`, [], { headers });
      const opened = new Promise<void>((resolve) => made.ws.once('open', () => resolve()));
      // A connection that was admitted stays open: it is closed from here.
      const timer = setTimeout(() => made.ws.close(1000), 300);
      await opened;
      const { code } = await made.closed;
      clearTimeout(timer);
      const [told] = made.frames.map((text): unknown => JSON.parse(text));
      answers.push({ code, told });
    }
    return answers;
  }

  const count = (answers: readonly { code: number }[], code: number) =>
    answers.filter((answer) => answer.code === code).length;

  it('X5 too many are told rate_limited and closed with 4008, on whichever node', async () => {
    const stores = [await openTestStore(redis.url), await openTestStore(redis.url)] as const;
    const nodes = await Promise.all(stores.map(startNode));
    const urls = nodes.map(({ wsUrl }) => wsUrl);
    const answers = await connect(urls, 30, { from: '203.0.113.7', token: 'alice-secret' });
    const passed = answers.filter(({ told }) => told === undefined).length;
    // One more comes every 3 s.
    expect(passed).toBeGreaterThanOrEqual(18);
    expect(passed).toBeLessThanOrEqual(26);
    const refused = answers.filter(({ told }) => told !== undefined);
    expect(refused).toHaveLength(30 - passed);
    expect(count(refused, 4008)).toBeGreaterThan(0);
    expect(answers.find(({ code }) => code === 4008)?.told).toMatchObject({
      type: 'hello_error',
      code: 'rate_limited',
      next_step: 'wait_then_retry',
      retry_after_seconds: expect.any(Number),
    });
    const other = { from: '203.0.113.8', token: 'alice-secret' };
    expect(count(await connect(urls, 3, other), 1000)).toBe(3);
  }, 40_000);

  it('X5 so are those without valid credentials, sooner and with 4029', async () => {
    const stores = [await openTestStore(redis.url), await openTestStore(redis.url)] as const;
    const nodes = await Promise.all(stores.map(startNode));
    const urls = nodes.map(({ wsUrl }) => wsUrl);
    const answers = await connect(urls, 12, { from: '2001:db8::1', token: 'guess' });
    expect(count(answers, 4003)).toBeGreaterThanOrEqual(5);
    expect(count(answers, 4003)).toBeLessThanOrEqual(7);
    expect(count(answers, 4029)).toBeGreaterThanOrEqual(5);
    expect(answers.at(-1)?.told).toMatchObject({ code: 'rate_limited' });
    // A client with a token is still admitted.
    expect(
      count(await connect(urls, 2, { from: '2001:db8::1', token: 'alice-secret' }), 1000),
    ).toBe(2);
  }, 40_000);

  it('X5 loopback is exempt, and nobody is kept out when Redis is away', async () => {
    const store = await openTestStore(proxy.url);
    const { wsUrl } = await startNode(store);
    const local = await connect([wsUrl], 12, { from: undefined, token: 'guess' });
    expect(count(local, 4003)).toBe(12);
    await proxy.refuse(true);
    proxy.cutAll();
    const remote = { from: '203.0.113.9', token: 'alice-secret' };
    expect(count(await connect([wsUrl], 2, remote), 1000)).toBe(2);
    await proxy.refuse(false);
  }, 30_000);
});

describe('what counts as one address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['0000:0000:0000:0000:0000:ffff:cb00:7107', '203.0.113.7'],
    ['0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
    ['2001:db8:0:1:aaaa:bbbb:cccc:dddd', '2001:db8:0:1::/64'],
    ['2001:0db8:0000:0001::5', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('X5 %s counts as %s', (address, subject) => {
    expect(addressSubject(address)).toBe(subject);
  });
});
