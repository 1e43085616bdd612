import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { Cluster } from '../support/cluster/cluster.js';

const MAX_BYTES = 24 * 1_024 * 1_024;

describe('a Redis whose memory is nearly used up', () => {
  let redis: TestRedis;
  let client: Redis;
  let cluster: Cluster;
  beforeEach(async () => {
    const args = ['--appendfsync', 'no', '--maxmemory', `${MAX_BYTES}`];
    redis = await startRedis({ args: [...args, '--maxmemory-policy', 'noeviction'] });
    client = redis.client();
    cluster = await Cluster.open(redis);
  });
  afterEach(() => cluster.stop());

  const used = async () =>
    Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1] ?? 0);
  const fill = async (share: number) => {
    // Small values: for a large one the allocator would take much more than was asked for.
    while ((await used()) < MAX_BYTES * share) await client.rpush('filler', 'x'.repeat(32_000));
  };
  const noticed = (node: GatewayProcess, msg: RegExp) =>
    node.waitForLog((line) => msg.test(String(line.msg)), 5_000);
  const answerTo = (reader: FrameClient, message_id: string) => {
    reader.message('x', { message_id });
    return reader.waitFor(
      (frame) =>
        frame.message_id === message_id && (frame.type === 'error' || frame.status === 'accepted'),
    );
  };

  it('B1 C3 takes nothing new, and commits, aborts, ends and drains what it has', async () => {
    const first = await cluster.start();
    const second = await cluster.start();
    let release = () => {};
    cluster.agent.behave(async (turn, { signal, respond }) => {
      if (turn.message_id === 'hangs') return httpBehaviours.hang()(turn, { signal } as never);
      if (turn.message_id === 'runs') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      respond.json({ content: 'r'.repeat(10_000) });
    });
    const running = await cluster.attach(first, { session_id: 'running' });
    for (const message_id of ['runs', 'waits']) running.message('x', { message_id });
    const hanging = await cluster.attach(first, { session_id: 'hanging' });
    hanging.message('x', { message_id: 'hangs' });
    await eventually(() => cluster.agent.turns.length === 2);

    await fill(0.93);
    await Promise.all([first, second].map((node) => noticed(node, /nearly full/)));
    expect(await answerTo(running, 'new')).toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/memory of Redis/),
    });
    await expect(cluster.attach(second, { session_id: 'another' })).rejects.toMatchObject({
      frame: {
        code: 'unavailable',
        next_step: 'wait_then_retry',
        retry_after_seconds: 1,
        message: expect.stringMatching(/memory of Redis/),
      },
    });
    const posted = await fetch(`${second.url}/v1/sessions/running/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'x' }),
    });
    expect([posted.status, posted.headers.has('retry-after')]).toEqual([503, true]);
    expect(await posted.json()).toMatchObject({ error: { code: 'unavailable', retryable: true } });

    // Accepted messages run, and clients of existing sessions may come back.
    release();
    for (const message_id of ['runs', 'waits']) {
      expect(await running.final(message_id)).toMatchObject({ outcome: { status: 'ok' } });
    }
    const back = await cluster.attach(second, { session_id: 'running' });
    await back.final('waits');
    hanging.send({ type: 'abort' });
    expect(await hanging.final('hangs')).toMatchObject({ outcome: { status: 'aborted' } });
    const ended = await fetch(`${first.url}/v1/sessions/hanging`, { method: 'DELETE' });
    expect(ended.status).toBe(200);
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);

    await client.del('filler');
    await Promise.all([first, second].map((node) => noticed(node, /room again/)));
    // The client follows the advice of the error: it sends the same message again.
    running.message('x', { message_id: 'new' });
    expect(await running.final('new')).toMatchObject({ outcome: { status: 'ok' } });
  }, 40_000);

  it('B1 D2 D3 hands running and waiting work over in a drain', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const draining = await cluster.start({ gateway: { drain_timeout: '500ms' } });
    const reader = await cluster.attach(draining, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) reader.message('x', { message_id });
    await eventually(() => cluster.agent.turns.length === 1);
    const heir = await cluster.start();
    await fill(0.93);
    await Promise.all([draining, heir].map((node) => noticed(node, /nearly full/)));
    cluster.agent.behave(httpBehaviours.delayMs(0));
    draining.signal('SIGTERM');
    expect(await draining.exited).toMatchObject({ code: 0 });
    const after = await cluster.attach(heir, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) {
      expect(await after.final(message_id)).toMatchObject({ outcome: { status: 'ok' } });
    }
    expect(await cluster.sessionEnds()).toMatchObject([{ reason_code: 'drain_timeout' }]);
  }, 40_000);
});
