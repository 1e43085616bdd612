import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedis,
  stopLater,
} from '@sluice/testkit';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(repository, 'README.md'), 'utf8');
const [, snippet = ''] = /```js\n(import WebSocket[\s\S]*?)```/.exec(readme) ?? [];

/** Passes connections on to `port`. The first one is cut between `hello_ok` and the replay. */
async function startCutter(
  port: number,
): Promise<{ port: number; cuts: () => number; server: Server }> {
  let cuts = 0;
  const server = createServer((client: Socket) => {
    const gateway = connect(port, '127.0.0.1');
    for (const socket of [client, gateway]) socket.on('error', () => undefined);
    client.pipe(gateway);
    client.on('close', () => gateway.destroy());
    gateway.on('close', () => client.end());
    gateway.on('data', (data) => {
      const replay = cuts === 0 ? data.indexOf('{"type":"replay"') : -1;
      if (replay < 0) return client.write(data);
      cuts += 1;
      client.end(data.subarray(0, replay - 4)); // the header of the frame takes 4 bytes
      gateway.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, cuts: () => cuts, server };
}

describe('the client of README.md', () => {
  let node: GatewayProcess;
  let folder: string;
  beforeAll(async () => {
    const redis = await startRedis();
    node = await startGateway({
      redisUrl: redis.url,
      config: { agents: { echo: { kind: 'echo' } } },
    });
    // As `npm install ws` leaves it.
    folder = mkdtempSync(join(tmpdir(), 'sluice-client-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(repository, 'node_modules/ws'), join(folder, 'node_modules/ws'));
  });
  afterAll(async () => {
    await node.kill();
    rmSync(folder, { recursive: true });
  });

  it('E3 S3 prints every reply once, also when it is cut right behind hello_ok', async () => {
    const earlier = await FrameClient.connect(node.wsUrl);
    await earlier.hello({ agent_id: 'echo', session_id: 'demo' });
    for (const content of ['one', 'two']) await earlier.final(earlier.message(content));
    const cutter = await startCutter(Number(new URL(node.url).port));
    writeFileSync(join(folder, 'client.mjs'), snippet.replace('8765', String(cutter.port)));
    const child = spawn(process.execPath, ['client.mjs'], { cwd: folder });
    stopLater(async () => void child.kill('SIGKILL'));
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        printed += data.toString();
      });
    }
    await eventually(() => printed.includes('echo: Hello'), 20_000).catch(() => undefined);
    await earlier.final(earlier.message('three'));
    await eventually(() => printed.includes('echo: three'), 10_000).catch(() => undefined);
    child.kill('SIGKILL');
    cutter.server.close();
    expect(printed).toBe('echo: one\necho: two\necho: Hello\necho: three\n');
    expect(cutter.cuts()).toBe(1);
  });
});
