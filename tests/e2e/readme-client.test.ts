import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import type { Browser } from 'playwright-core';
import { type CutAt, startFrameCutter } from '../support/cluster/frame-cutter.js';
import { browserPath, openBrowser } from '../support/setup/browser.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(repository, 'README.md'), 'utf8');
const [, snippet = ''] = /```js\n((?:(?!```)[\s\S])*new Socket\([\s\S]*?)```/.exec(readme) ?? [];

const replies = ['echo: one', 'echo: two', 'echo: Hello', 'echo: three'];
/** Clients that run at once. */
const TOGETHER = 10;

/** A running client; `lines` returns what it has printed so far. */
type Running = { readonly lines: () => string[]; readonly stop: () => Promise<unknown> };
type Run = (text: string) => Promise<Running>;

const hasOwnSocket = Number(process.versions.node.split('.')[0]) >= 22;
const nodeKinds = [
  { name: 'Node with its own WebSocket', flags: hasOwnSocket ? [] : ['--experimental-websocket'] },
  { name: 'Node with ws', flags: hasOwnSocket ? ['--no-experimental-websocket'] : [] },
];

/** Runs the client in Node, as after `npm install ws` in an empty folder. */
function inNode(flags: readonly string[]): Run {
  return async (text) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-client-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(repository, 'node_modules/ws'), join(folder, 'node_modules/ws'));
    writeFileSync(join(folder, 'client.mjs'), text);
    const args = ['--disable-warning=ExperimentalWarning', ...flags, 'client.mjs'];
    const child = spawn(process.execPath, args, { cwd: folder });
    const stop = async () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    stopLater(stop);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        printed += data.toString();
      });
    }
    return { lines: () => printed.split('\n').slice(0, -1), stop };
  };
}

/** Runs the client in a page of another server of this machine. */
function inBrowser(browser: () => Browser, pages: () => string): Run {
  return async (text) => {
    const page = await browser().newPage();
    const lines: string[] = [];
    page.on('pageerror', (error) => lines.push(error.message));
    page.on('console', (line) => line.type() === 'log' && lines.push(line.text()));
    await page.goto(pages());
    await page.addScriptTag({ type: 'module', content: text });
    return { lines: () => lines, stop: () => page.close() };
  };
}

describe('the client of README.md', () => {
  let node: GatewayProcess;
  let browser: Browser;
  let pages = '';
  let sessions = 0;
  beforeAll(async () => {
    expect(snippet).toContain('ws://127.0.0.1:8765/ws');
    const redis = await startRedis();
    node = await startGateway({
      redisUrl: redis.url,
      config: { agents: { echo: { kind: 'echo' } } },
    });
    if (!browserPath) return;
    browser = await openBrowser();
    const server = createServer((_, response) => response.end('<!doctype html><title>x</title>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    pages = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    stopLater(async () => void server.close());
  }, 60_000);
  afterAll(() => node.kill());

  const nextSession = () => {
    sessions += 1;
    return `demo-${sessions}`;
  };
  const begin = (run: Run, session: string, port: number) =>
    run(snippet.replace('8765', String(port)).replace("'demo'", `'${session}'`));

  /** Connects another client, which sends `contents` and waits for the replies. */
  async function ask(session: string, contents: readonly string[], gateway = node) {
    const other = await FrameClient.connect(gateway.wsUrl);
    await other.hello({ agent_id: 'echo', session_id: session });
    for (const content of contents) await other.final(other.message(content));
    return other;
  }

  /**
   * Two replies come before the client begins, then its own, then one more. Returns what the client printed, and
   * the numbers of frames on its connections.
   */
  async function converse(run: Run, cutAt: (connection: number) => CutAt, gateway = node) {
    const session = nextSession();
    const earlier = await ask(session, ['one', 'two'], gateway);
    const cutter = await startFrameCutter(gateway.port, cutAt);
    const client = await begin(run, session, cutter.port);
    const sees = (reply: string | undefined) => () => client.lines().includes(reply ?? '');
    await eventually(sees(replies[2]), 30_000).catch(() => undefined);
    await earlier.final(earlier.message('three'));
    await eventually(sees(replies[3]), 30_000).catch(() => undefined);
    const lines = client.lines().join('\n');
    await client.stop();
    earlier.cut();
    cutter.close();
    return { lines, cuts: cutter.cuts, frames: cutter.frames };
  }

  const page = inBrowser(
    () => browser,
    () => pages,
  );
  const kinds: (readonly [string, Run])[] = [
    ...nodeKinds.map(({ name, flags }) => [name, inNode(flags)] as const),
    ...(browserPath ? [['a browser', page] as const] : []),
  ];

  it.each(kinds)(
    'E3 S3 prints every reply once, also when it is cut right after hello_ok or any other frame, in %s',
    async (_, run) => {
      const whole = await converse(run, () => ({}));
      expect(whole).toMatchObject({ lines: replies.join('\n'), cuts: 0 });
      const [count = 0] = whole.frames;
      // `hello_ok`, two replayed turns and two live ones.
      expect(count).toBeGreaterThan(12);
      const firstCut: CutAt[] = [
        ...Array.from({ length: count }, (_, down) => ({ down })),
        ...[1, 2].map((up) => ({ up })),
      ];
      const found: unknown[] = [];
      const left = [...firstCut];
      const work = async () => {
        for (let cut = left.shift(); cut; cut = left.shift()) {
          const at = cut;
          const { lines, cuts } = await converse(run, (nth) => (nth === 0 ? at : {}));
          if (lines !== replies.join('\n') || cuts !== 1) found.push({ at, lines, cuts });
        }
      };
      await Promise.all(Array.from({ length: TOGETHER }, work));
      expect(found).toEqual([]);
    },
    120_000,
  );

  it('E3 S3 prints them also when no connection brings more than three events', async () => {
    const [[, run] = []] = kinds;
    const { lines, cuts } = await converse(run ?? inNode([]), () => ({ down: 4 }));
    expect(lines).toBe(replies.join('\n'));
    expect(cuts).toBeGreaterThan(3);
  }, 90_000);

  it('E3 prints from the snapshot the replies that the log no longer has', async () => {
    const redis = await startRedis();
    const config = { agents: { echo: { kind: 'echo' } }, session: { max_events: 2 } };
    const gateway = await startGateway({ redisUrl: redis.url, config });
    const [[, run] = []] = kinds;
    // Cuts before the snapshot, after it, and after the reply to `Hello`, which the next snapshot has again.
    for (const down of [1, 2, 6]) {
      const at = (nth: number) => (nth === 0 ? { down } : {});
      const { lines, cuts } = await converse(run ?? inNode([]), at, gateway);
      expect({ lines, cuts }).toEqual({ lines: replies.join('\n'), cuts: 1 });
    }
    await gateway.kill();
  }, 60_000);

  it('E3 prints the replies of a log that began anew, also when it is cut right after hello_ok', async () => {
    const session = nextSession();
    (await ask(session, ['one'])).cut();
    let isAnew = false;
    let later = 0;
    const cutAt = (nth: number): CutAt => {
      if (nth === 0) return { down: 5 }; // `hello_ok` and all events of the first turn
      if (!isAnew) return { down: 0 };
      later += 1;
      return later === 1 ? { down: 1 } : {};
    };
    const cutter = await startFrameCutter(node.port, cutAt);
    const [[, run = inNode([])] = []] = kinds;
    const client = await begin(run, session, cutter.port);
    await eventually(() => cutter.cuts > 0, 20_000);
    await fetch(`${node.url}/v1/sessions/${session}`, { method: 'DELETE' });
    (await ask(session, ['two', 'three'])).cut();
    isAnew = true;
    await eventually(() => client.lines().includes('echo: Hello'), 20_000).catch(() => undefined);
    expect(client.lines()).toEqual(['echo: one', 'echo: two', 'echo: three', 'echo: Hello']);
    await client.stop();
    cutter.close();
  }, 60_000);
});
