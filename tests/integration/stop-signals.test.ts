import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { within } from '@sluice/runtime';
import { eventually, startChild, startGateway, startRedis, type TestRedis } from '@sluice/testkit';

const bin = resolve('bin/sluice');

describe('signals', () => {
  let redis: TestRedis;
  let dir: string;
  const children: ReturnType<typeof startChild>[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    dir = mkdtempSync(join(tmpdir(), 'sluice-signals-'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('D7 SIGHUP, SIGQUIT, SIGPWR and SIGXCPU drain as SIGTERM does', async () => {
    for (const signal of ['SIGHUP', 'SIGQUIT', 'SIGPWR', 'SIGXCPU'] as const) {
      const node = await startGateway({ redisUrl: redis.url });
      node.signal(signal);
      expect(await node.exited).toMatchObject({ code: 0, signal: null });
      expect(node.logs.map(({ msg }) => msg)).toContain('drained');
    }
  });

  it('D7 signals that mean nothing to a node neither end it nor open an inspector', async () => {
    const node = await startGateway({ redisUrl: redis.url });
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const) {
      node.signal(signal);
      await node.waitForLog(
        (line) => line.msg === 'signal ignored' && line.signal === signal,
        10_000,
      );
    }
    expect((await fetch(`${node.url}/ready`)).status).toBe(200);
    expect(node.logs.map(({ msg }) => msg).filter((msg) => /debugger/i.test(String(msg)))).toEqual(
      [],
    );
    expect(await node.stop()).toMatchObject({ code: 0 });
  });

  it('D7 SIGUSR1 opens no inspector either while the modules of the node are loaded', () => {
    // The thread that loads the modules sends the signal, when the first of them is asked for.
    const load = `export async function load(url, context, next) {
      if (url.endsWith('/cli/dist/program/main.js')) {
        process.kill(process.pid, 'SIGUSR1');
        await new Promise((over) => setTimeout(over, 300));
      }
      return next(url, context);
    }`;
    const asModule = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
    const hook = asModule(
      `import { register } from 'node:module'; register(${JSON.stringify(asModule(load))});`,
    );
    const args = ['--import', hook, bin, '--version'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  /** A node on a terminal of its own, made by `script` of util-linux, and what becomes of it. */
  async function onTerminal(name: string, wrapper: string) {
    const file = join(dir, name);
    const node = `"${process.execPath}" "${bin}" start --gateway.port 0 --log.pretty false`;
    const shell = `trap "" HUP; ${node}; echo $? > ${file}`;
    const terminal = startChild('script', ['-qec', `${wrapper} sh -c '${shell}'`, '/dev/null'], {
      env: { PATH: process.env.PATH, REDIS_URL: redis.url, SHELL: '/bin/sh' },
    });
    children.push(terminal);
    let output = '';
    terminal.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await eventually(() => output.includes('"msg":"ready"'), 15_000);
    const [, nodeId, port] = /"node_id":"([^"]+)","port":(\d+)/.exec(output) ?? [];
    const close = async () => {
      terminal.kill('SIGKILL');
      await within(once(terminal, 'close'), 5_000);
    };
    const status = () =>
      eventually(() => existsSync(file) && readFileSync(file, 'utf8').trim(), 10_000);
    return { url: `http://127.0.0.1:${port}`, nodeId, close, status };
  }

  const hasTerminals = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;
  const onTerminals = hasTerminals ? it : it.skip;

  onTerminals('D7 a node whose terminal is closed drains, and ends with 0', async () => {
    const { close, status } = await onTerminal('controlled', '');
    await close();
    expect(await status()).toBe('0');
  });

  onTerminals(
    'D7 a node that outlives its terminal serves on, drains and ends with 0',
    async () => {
      const { url, nodeId, close, status } = await onTerminal('detached', 'setsid -w');
      await close();
      expect((await fetch(`${url}/ready`)).status).toBe(200);
      const drain = await fetch(`${url}/v1/nodes/${nodeId}/drain`, { method: 'POST' });
      expect(drain.status).toBe(202);
      expect(await status()).toBe('0');
    },
  );
});
