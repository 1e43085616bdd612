import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
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

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

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
      console.log(gateway.pid + ' ' + redis.port);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);`;
    const args = ['--input-type=module', '-e', program];
    const options = { encoding: 'utf8', timeout: 20_000 } as const;
    const { signal, stdout } = spawnSync(process.execPath, args, options);
    expect(signal).toBe('SIGKILL');
    const [pid = 0, port = 0] = stdout.trim().split(' ').map(Number);
    expect(port).toBeGreaterThan(0);
    await eventually(() => !isLiving(pid));
    await eventually(async () => !(await isOpen(port)));
  });
});
