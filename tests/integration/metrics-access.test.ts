import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually, FrameClient, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { decodeMetrics, scrape } from '../support/cluster/metric-samples.js';

const ops = 'ops-91c4e7d2a6b05f38';
const user = 'user-5d20f8b3c19a6e74';
const tokens = [
  { token: ops, principal: 'ops', scopes: ['admin'] },
  { token: user, principal: 'alice' },
];
const withToken = (token: string) => ({ authorization: `Bearer ${token}` });

describe('GET /metrics', () => {
  const statusOf = async (url: string, headers = {}) =>
    (await fetch(`${url}/metrics`, { headers })).status;
  const stop: Cluster[] = [];
  async function start(config: Readonly<Record<string, unknown>>) {
    const cluster = await Cluster.open(await startRedis());
    stop.push(cluster);
    return { cluster, node: await cluster.start(config) };
  }
  afterEach(async () => {
    for (const cluster of stop.splice(0)) await cluster.stop();
  });

  it('X1 needs a token of scope admin, and an allowed Origin', async () => {
    const { node } = await start({ gateway: { auth: { tokens } } });
    const asked = [{}, withToken(user), withToken(ops)];
    const statuses = await Promise.all(asked.map((headers) => statusOf(node.url, headers)));
    expect(statuses).toEqual([401, 403, 200]);
    const foreign = { ...withToken(ops), origin: 'https://evil.example' };
    expect(await statusOf(node.url, foreign)).toBe(403);
    const { headers } = await fetch(`${node.url}/metrics`, { headers: withToken(ops) });
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('X1 needs none when metrics.public is set', async () => {
    const { node } = await start({ gateway: { auth: { tokens } }, metrics: { public: true } });
    expect(await statusOf(node.url)).toBe(200);
  });

  it.each([false, true])(
    'X1 is on the admin port, on the main one when public: %s',
    async (isPublic) => {
      const { node } = await start({
        gateway: { admin_port: 0, auth: { tokens } },
        metrics: { public: isPublic },
      });
      const { admin_port } = await node.waitForLog(({ msg }) => msg === 'ready');
      expect(await statusOf(`http://127.0.0.1:${admin_port}`)).toBe(200);
      expect(await statusOf(node.url, withToken(ops))).toBe(isPublic ? 200 : 404);
    },
  );

  it.each(['edge', 'worker'])(
    'D1 is served by a node with the role %s alone, and while it drains',
    async (role) => {
      const { cluster, node } = await start({ gateway: { roles: [role], drain_timeout: '20s' } });
      const other = await cluster.start({
        gateway: { roles: [role === 'edge' ? 'worker' : 'edge'], drain_timeout: '20s' },
      });
      const [edge, worker] = role === 'edge' ? [node, other] : [other, node];
      cluster.agent.behave(httpBehaviours.hang());
      const client = await FrameClient.connect(edge.wsUrl);
      await client.hello({ agent_id: 'slow', session_id: 's' });
      client.message('hold');
      await eventually(async () => {
        const { sum } = await scrape(worker.url);
        expect(sum('sluice_executing_turns')).toBe(1);
        expect(sum('sluice_cluster_oldest_pending_seconds')).toBeGreaterThanOrEqual(0);
      });
      const before = await scrape(node.url);
      const one = role === 'worker' ? 64 : 0;
      expect([before.sum('sluice_draining'), before.sum('sluice_concurrency')]).toEqual([0, one]);
      expect(before.sum('sluice_connections', { kind: 'websocket' })).toBe(role === 'edge' ? 1 : 0);
      if (role === 'edge') return; // without turns its drain is over at once
      node.signal('SIGTERM');
      await node.waitForLog(({ msg }) => msg === 'draining');
      await eventually(async () => {
        const { sum } = await scrape(node.url);
        expect(sum('sluice_draining')).toBe(1);
        expect(sum('sluice_drain_seconds')).toBeGreaterThan(0);
      });
    },
  );

  it('C3 answers while Redis is away, without what only Redis knows', async () => {
    const { cluster, node } = await start({});
    expect((await scrape(node.url)).sum('sluice_cluster_live_workers')).toBe(1);
    await cluster.redis.pause();
    await eventually(async () => {
      const { samples, sum } = await scrape(node.url);
      expect(sum('sluice_redis_up')).toBe(0);
      expect(sum('sluice_redis_errors_total')).toBeGreaterThan(0);
      expect(samples.filter(({ name }) => name.startsWith('sluice_cluster_'))).toEqual([]);
    }, 10_000);
    await cluster.redis.resume();
    await eventually(async () => {
      const { sum } = await scrape(node.url);
      expect([sum('sluice_redis_up'), sum('sluice_cluster_live_workers')]).toEqual([1, 1]);
    }, 10_000);
  });

  it('asks Redis for the cluster once in 5 s, however often it is asked itself', async () => {
    const { node } = await start({});
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => (await fetch(`${node.url}/metrics`)).text()),
    );
    const measured = { call: 'pending-measure' };
    const last = decodeMetrics(texts.at(-1) ?? '');
    expect(last.sum('sluice_redis_call_seconds_count', measured)).toBeLessThanOrEqual(64);
    expect((await scrape(node.url)).sum('sluice_redis_call_seconds_count', measured)).toBe(64);
  });
});
