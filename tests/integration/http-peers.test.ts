import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  FrameClient,
  freePort,
  type GatewayProcess,
  startChild,
  startGateway,
  startHaproxy,
  startRedis,
} from '@sluice/testkit';

/** What a node, or a balancer in front of it, answers to these pieces, each a TCP segment of its own. */
async function answerTo(port: number, pieces: readonly string[], answers = 1): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('error', () => undefined);
  for (const piece of pieces) {
    socket.write(piece);
    if (pieces.length > 1) await sleep(20);
  }
  const count = () => text.match(/HTTP\/1\.1 \d+/g)?.length ?? 0;
  await eventually(() => isClosed || count() >= answers, 4_000).catch(() => undefined);
  socket.destroy();
  return text;
}

const nginxConf = readFileSync('deploy/nginx/nginx.conf', 'utf8');
const statuses = (text: string) => (text.match(/HTTP\/1\.1 (\d+)/g) ?? []).map((it) => it.slice(9));
const segments = (text: string) => text.match(/[\s\S]{1,1400}/g) ?? [];

describe('HTTP as others speak it', () => {
  let node: GatewayProcess;
  beforeAll(async () => {
    const { url } = await startRedis();
    node = await startGateway({ redisUrl: url });
  });
  afterAll(() => node.kill());

  const request = (more: string, version = '1.1') =>
    `GET /v1/sessions HTTP/${version}\r\nHost: 127.0.0.1\r\n${more}\r\n`;
  const longToken = `Authorization: Bearer ${'x'.repeat(12_000)}\r\n`;
  const headers = (count: number) =>
    Array.from({ length: count }, (_, at) => `x-${at}: 1\r\n`).join('');

  it('X1 a token of 12 KiB arrives, also in several TCP segments', async () => {
    expect(statuses(await answerTo(node.port, segments(request(longToken))))).toEqual(['200']);
    expect(statuses(await answerTo(node.port, [request(longToken)]))).toEqual(['200']);
  });

  it('each answer says how long an idle connection is kept', async () => {
    for (const path of ['/health', '/v1/sessions', '/nothing', '/ready']) {
      const response = await fetch(node.url + path);
      expect([path, response.headers.get('keep-alive')]).toEqual([path, 'timeout=7']);
    }
    // A proxy that gives idle connections up before the node does never uses one that the node has just closed.
    const [, nginx] = /keepalive_timeout (\d+)s;/.exec(nginxConf) ?? [];
    expect(Number(nginx)).toBeLessThan(7);
  });

  it('without keep_alive each answer asks its client to close the connection', async () => {
    const { url } = await startRedis();
    const other = await startGateway({ redisUrl: url, config: { gateway: { keep_alive: false } } });
    for (const path of ['/health', '/v1/sessions', '/nothing']) {
      const { headers } = await fetch(other.url + path);
      expect({
        path,
        connection: headers.get('connection'),
        keep: headers.get('keep-alive'),
      }).toEqual({
        ...{ path, connection: 'close', keep: null },
      });
    }
    await other.stop();
  });

  const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;

  async function behindNginx(): Promise<{ port: number; stop(): void }> {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-nginx-'));
    const port = await freePort();
    const own = nginxConf
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replace('127.0.0.1:8765', `127.0.0.1:${node.port}`)
      .replace(/ *server 127\.0\.0\.1:876[67] .*\n/g, '');
    mkdirSync(join(dir, 'deploy'));
    writeFileSync(join(dir, 'deploy', 'nginx.conf'), own);
    const child = startChild('nginx', ['-p', dir, '-c', 'deploy/nginx.conf']);
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok).catch(() => {
      throw new Error(`nginx does not answer: ${said}`);
    });
    const stop = () => {
      child.kill('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    };
    return { port, stop };
  }

  async function behindHaproxy(): Promise<{ port: number; stop(): Promise<void> }> {
    const { port, stop } = await startHaproxy([node.port, 1, 2]);
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok);
    return { port, stop };
  }

  /** The answers when half of an upload has been sent, and when all of it has. A node answers this one at once. */
  async function answersToUpload(port: number): Promise<string[]> {
    const head = 'POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8\r\n\r\n';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write(`${head}half`);
    await sleep(500);
    const half = statuses(text).join();
    socket.write('half');
    await eventually(() => statuses(text).length > 0);
    socket.destroy();
    return [half, statuses(text).join()];
  }

  const balancers = [
    // HAProxy passes on the version of HTTP that it got; nginx does not count headers.
    ['nginx', has('nginx', '-v'), behindNginx, { pieces: [request('', '1.0')], status: '200' }],
    [
      'HAProxy',
      has('haproxy', '-v'),
      behindHaproxy,
      { pieces: [request(headers(99))], status: '400' },
    ],
  ] as const;
  for (const [name, isThere, start, beyond] of balancers) {
    (isThere ? it : it.skip)(`${name} as in deploy/ takes what the library refuses`, async () => {
      const { port, stop } = await start();
      try {
        expect(statuses(await answerTo(port, segments(request(longToken))))).toEqual(['200']);
        const pipelined = `${request('')}${request('')}`;
        expect(statuses(await answerTo(port, [pipelined], 2))).toEqual(['200', '200']);
        expect(statuses(await answerTo(port, beyond.pieces))).toEqual([beyond.status]);
        // nginx waits for the whole upload before it passes it on.
        if (name === 'nginx') expect(await answersToUpload(port)).toEqual(['', '404']);
        const client = await FrameClient.connect(`ws://127.0.0.1:${port}/ws`);
        await client.hello({ session_id: `behind-${name}` });
        await client.final(client.message('hello'));
        await client.close();
      } finally {
        await stop();
      }
    });
  }
});
