import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FrameClient, startRedis } from '@sluice/testkit';
import {
  endAll,
  isLiving,
  makeClone,
  plainEnv,
  readNumber,
  redisPid,
  startNode,
  startReady,
} from '../support/setup/setup-clone.js';

/** Sends a message and waits for the reply; returns the number of the last event. */
async function converse(url: string, sessionId: string): Promise<number> {
  const client = await FrameClient.connect(`${url.replace('http', 'ws')}/ws`);
  const { cursor = 0 } = await client.hello({ session_id: sessionId });
  await client.final(client.message('hello'));
  await client.close();
  return cursor;
}

describe('npm start', () => {
  let clone: ReturnType<typeof makeClone>;
  let orphans: number[];
  beforeEach(() => {
    clone = makeClone();
    orphans = [];
  });
  afterEach(async () => {
    await endAll(clone.dir, orphans);
    clone.remove();
  });

  it('starts a private Redis, and one Ctrl-C, delivered twice, stops both and keeps all', async () => {
    const first = await startReady(clone.dir);
    expect(await converse(first.url, 's1')).toBe(0);
    const redis = redisPid(clone.dir);
    first.child.kill('SIGINT');
    setTimeout(() => first.child.kill('SIGINT'), 30);
    expect(await first.exited).toBe(0);
    expect(first.text().match(/"msg":"stop requested"/g)).toHaveLength(1);
    expect(isLiving(redis)).toBe(false);
    expect(existsSync(join(clone.dir, '.sluice', 'redis.sock'))).toBe(false);

    const second = await startReady(clone.dir);
    expect(await converse(second.url, 's1')).toBeGreaterThan(0);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
  });

  it('ends with the status of a gateway that was killed, its Redis saved', async () => {
    const first = await startReady(clone.dir);
    await converse(first.url, 's1');
    const redis = redisPid(clone.dir);
    process.kill(first.gatewayPid, 'SIGKILL');
    expect(await first.exited).toBe(137);
    expect(isLiving(redis)).toBe(false);
    const second = await startReady(clone.dir);
    expect(await converse(second.url, 's1')).toBeGreaterThan(0);
  });

  it('after being killed itself, uses its Redis again and drains the gateway left behind', async () => {
    const first = await startReady(clone.dir);
    orphans.push(first.gatewayPid);
    await converse(first.url, 's1');
    const redis = redisPid(clone.dir);
    first.child.kill('SIGKILL');
    await first.exited;
    expect([isLiving(first.gatewayPid), isLiving(redis)]).toEqual([true, true]);

    const second = await startReady(clone.dir);
    expect(redisPid(clone.dir)).toBe(redis);
    expect(isLiving(first.gatewayPid)).toBe(false);
    expect(await converse(second.url, 's1')).toBeGreaterThan(0);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(isLiving(redis)).toBe(false);
  });

  it('shares one Redis between two of the same directory; the last one stops it', async () => {
    const both = [startReady(clone.dir), startReady(clone.dir)] as const;
    const [first, second] = await Promise.all(both);
    const redis = redisPid(clone.dir);
    await converse(first.url, 's1');
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    expect(isLiving(redis)).toBe(true);
    expect(await converse(second.url, 's1')).toBeGreaterThan(0);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(isLiving(redis)).toBe(false);
  });

  it('works in a directory whose path is too long for a socket', async () => {
    const long = makeClone(join('d'.repeat(60), 'e'.repeat(60)));
    try {
      const first = await startReady(long.dir);
      expect(await converse(first.url, 's1')).toBe(0);
      expect(isLiving(readNumber(join(long.dir, '.sluice', 'redis.pid')))).toBe(true);
      first.child.kill('SIGTERM');
      expect(await first.exited).toBe(0);
    } finally {
      await endAll(long.dir);
      long.remove();
    }
  });

  it('starts no Redis when one is named', async () => {
    const redis = await startRedis();
    const script = startNode(clone.dir, [], plainEnv({ REDIS_URL: redis.url }));
    await script.seen(/"msg":"ready"/);
    expect(existsSync(join(clone.dir, '.sluice'))).toBe(false);
    script.child.kill('SIGTERM');
    expect(await script.exited).toBe(0);
  });

  it('prints where to click, and hands its arguments to the gateway', async () => {
    const script = startNode(clone.dir, ['--gateway.port=0', '--gateway.prot', '1']);
    expect(await script.exited).toBe(78);
    await eventually(() => /gateway\.prot.*gateway\.port/s.test(script.text()));
    const free = 20_000 + (process.pid % 20_000);
    const second = startNode(clone.dir, ['--gateway.port', String(free)]);
    await second.seen(/terminal +bin\/sluice chat --url/);
    expect(second.text()).toContain(`http://127.0.0.1:${free}/`);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
  });
});
