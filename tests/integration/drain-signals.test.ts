import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep, within } from '@sluice/runtime';
import {
  eventually,
  httpBehaviours,
  startChild,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const bin = resolve('bin/sluice');

describe('signals', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, { gateway: { drain_timeout: '20s', close_spread: '10s' } });
  });
  afterEach(() => cluster.stop());

  async function busyNode(turnMs: number) {
    const node = await cluster.start();
    cluster.agent.behave(httpBehaviours.delayMs(turnMs));
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('work', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === 1);
    return { node, client };
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`D7 a second ${signal} moves the deadline to now`, async () => {
      const { node, client } = await busyNode(30_000);
      node.signal(signal);
      await client.waitFor({ type: 'going_away' });
      await sleep(300);
      expect(cluster.agent.turns[0]?.closedByPeer).toBe(false);
      const secondAt = performance.now();
      node.signal(signal);
      expect(await client.closed).toMatchObject({ code: 1012 });
      const exit = await node.exited;
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(performance.now() - secondAt).toBeLessThan(2_000);
      expect(await cluster.inbox('s')).toEqual(['m1']);
      expect(await cluster.sessionEnds()).toMatchObject([
        { reason_code: 'drain_timeout', had_pending_work: 'true', was_executing: 'true' },
      ]);
      // The lease was released, not left to expire: a new node need not wait for it.
      cluster.agent.behave(httpBehaviours.delayMs(0));
      await cluster.start();
      await eventually(async () => (await cluster.inbox('s')).length === 0, 2_000);
    });

    it(`D7 two ${signal} within 250 ms are one`, async () => {
      const { node, client } = await busyNode(1_200);
      await client.close();
      node.signal(signal);
      await node.waitForLog(({ msg }) => msg === 'stop requested');
      node.signal(signal);
      expect(await node.exited).toMatchObject({ code: 0 });
      expect(cluster.agent.turns).toHaveLength(1);
      expect(cluster.agent.turns[0]?.closedByPeer).toBe(false);
      expect(await cluster.inbox('s')).toEqual([]);
      expect(await cluster.sessionEnds()).toEqual([]);
    });
  }

  it('D7 exits at once when there is nothing to wait for', async () => {
    const node = await cluster.start();
    node.signal('SIGTERM');
    const exit = await node.exited;
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.ms).toBeLessThan(1_500);
  });

  it('D7 exits with 75 in time when Redis does not let it release', async () => {
    const { node, client } = await busyNode(30_000);
    await redis.pause();
    try {
      node.signal('SIGTERM');
      await client.waitFor({ type: 'going_away' });
      await sleep(300);
      const secondAt = performance.now();
      node.signal('SIGTERM');
      const exit = await node.exited;
      expect(performance.now() - secondAt).toBeLessThan(2_000);
      expect(exit.code).toBe(75);
    } finally {
      await redis.resume();
    }
  });

  it('D7 exits within drain_timeout and 2 s, also when Redis is gone', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const node = await cluster.start({
      gateway: { drain_timeout: '500ms', close_spread: '100ms' },
    });
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('work');
    await eventually(() => cluster.agent.turns.length === 1);
    await redis.kill();
    try {
      node.signal('SIGTERM');
      const exit = await node.exited;
      expect(exit.ms).toBeLessThan(2_500);
      expect(exit.code).toBe(75);
    } finally {
      await redis.start();
    }
  });

  const isProcess1 = ['unshare', '--pid', '--fork', '--kill-child'] as const;
  const [program, ...options] = isProcess1;
  const mayUnshare = spawnSync(program, [...options, 'true']).status === 0;

  (mayUnshare ? it : it.skip)(
    'D7 of process 1 of a container no signal is lost while it loads',
    async () => {
      // As soon as bin/sluice listens: the modules of a node take far longer.
      const signal =
        "const due = setInterval(() => { if (process.listenerCount('SIGTERM') === 0) return; " +
        "clearInterval(due); process.kill(process.pid, 'SIGTERM'); }, 1)";
      const { PATH } = process.env;
      const env = {
        PATH,
        REDIS_URL: redis.url,
        NODE_OPTIONS: `--import="data:text/javascript,${signal}"`,
      };
      const args = [...options, process.execPath, bin, 'start', '--gateway.port', '0'];
      const child = startChild(program, args, { env });
      const [status] = (await within(once(child, 'close'), 10_000)) ?? ['lives on'];
      child.kill('SIGKILL');
      expect(status).toBe(143);
    },
  );
});
