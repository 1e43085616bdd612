import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  GatewayFailed,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';

const isLiving = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a gateway as a process', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });

  it('is ready on a free port, tells its log, and stops with its status', async () => {
    const gateway = await startGateway({ redisUrl: redis.url });
    expect(gateway.port).toBeGreaterThan(0);
    expect(gateway.roles).toEqual(['edge', 'worker']);
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
    gateway.signal('SIGTERM');
    expect(await gateway.waitForLog(({ msg }) => msg === 'drained')).toBeDefined();
    const exit = await gateway.exited;
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(3_000);
    await expect(gateway.waitForLog(({ msg }) => msg === 'never')).rejects.toThrow('drained');
  });

  it('can be stopped in mid-air, goes on, and is killed', async () => {
    const gateway = await startGateway({ redisUrl: redis.url });
    gateway.signal('SIGSTOP');
    const silent = fetch(`${gateway.url}/ready`, { signal: AbortSignal.timeout(200) });
    await expect(silent).rejects.toThrow();
    gateway.signal('SIGCONT');
    await eventually(async () => (await fetch(`${gateway.url}/ready`)).status === 200);
    expect(await gateway.kill()).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('that cannot start fails with what it said', async () => {
    const config = { gateway: { prot: 1 } };
    const failed = startGateway({ redisUrl: redis.url, config });
    await expect(failed).rejects.toBeInstanceOf(GatewayFailed);
    await expect(failed).rejects.toMatchObject({ exit: { code: 78 } });
    await expect(failed).rejects.toThrow('gateway.port');
  });

  it('does not outlive a test process that is killed', async () => {
    const testkit = createRequire(import.meta.url).resolve('@sluice/testkit');
    const program = `
      const { startGateway, startRedis } = await import(${JSON.stringify(testkit)});
      const redis = await startRedis();
      const gateway = await startGateway({ redisUrl: redis.url });
      const { client } = redis;
      const info = await client().info('server');
      console.log(gateway.pid + ' ' + /process_id:(\\d+)/.exec(info)[1]);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);`;
    const args = ['--input-type=module', '-e', program];
    const options = { encoding: 'utf8', timeout: 20_000 } as const;
    const { signal, stdout } = spawnSync(process.execPath, args, options);
    expect(signal).toBe('SIGKILL');
    const pids = stdout.trim().split(' ').map(Number);
    expect(pids).toHaveLength(2);
    await eventually(() => pids.every((pid) => !isLiving(pid)));
  });
});
