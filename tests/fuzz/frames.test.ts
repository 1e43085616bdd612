import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import {
  drawnSeed,
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedis,
} from '@sluice/testkit';
import fc from 'fast-check';
import { anyFrame } from './any-frame.js';
import { ProbingClient } from './probing-client.js';

/** `npm run fuzz:frames` sends more. */
const FRAMES = Number(process.env.SLUICE_FUZZ_FRAMES ?? 10_000);
/** Seeds that have found a fault, or that were there from the beginning; one more is drawn. */
const pinned = [20_261];
const CLIENTS = 16;
const MAX_PAYLOAD = 16_384;
const MiB = 1024 * 1024;
const GROWTH_MAX = 20 * MiB;
/** Of the heap, which does not vary with what the system's allocator keeps. */
const HEAP_GROWTH_MAX = 4 * MiB;
/** Share of the frames that warms the process up; the memory that it has then is what it needs. */
const WARM = 0.2;

const probeFile = fileURLToPath(new URL('./memory-probe.mjs', import.meta.url));

/** Memory that is left after a garbage collection, in bytes. */
async function memoryOf(node: GatewayProcess): Promise<{ rss: number; heap: number }> {
  const readings = () => node.logs.filter(({ msg }) => msg === 'memory');
  const before = readings().length;
  node.signal('SIGUSR2');
  await eventually(() => readings().length > before);
  const last = readings().at(-1);
  return { rss: Number(last?.rss), heap: Number(last?.heapUsed) };
}

it(
  'X4 no frame stops a node, each is answered or closes its connection, and none leaves memory behind',
  async () => {
    const { url } = await startRedis({ args: ['--appendfsync', 'no'] });
    const node = await startGateway({
      redisUrl: url,
      config: {
        gateway: { max_payload: MAX_PAYLOAD },
        session: { max_events: 100, max_messages: 10 },
        agents: { echo: { kind: 'echo' } },
      },
      env: { NODE_OPTIONS: `--expose-gc --import=${probeFile}` },
    });
    const seeds = [...pinned, drawnSeed % 1_000_000];
    process.stderr.write(`fuzz frames: ${FRAMES} frames, seeds ${seeds.join(', ')}\n`);
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new ProbingClient(node.wsUrl, `f${i}`),
    );
    const perClient = Math.ceil(FRAMES / CLIENTS / seeds.length);

    const send = (share: number, round: number) =>
      Promise.all(
        clients.map(async (client, i) => {
          for (const seed of seeds) {
            const numRuns = Math.ceil(perClient * share);
            const frames = fc.sample(anyFrame(MAX_PAYLOAD), {
              seed: (seed * 2 + round) * CLIENTS + i,
              numRuns,
            });
            for (const frame of frames) await client.probe(frame);
          }
        }),
      );
    await send(WARM, 0);
    const warm = await memoryOf(node);
    await send(1 - WARM, 1);
    const end = await memoryOf(node);
    process.stderr.write(`fuzz frames: memory ${JSON.stringify({ warm, end })}\n`);
    expect(end.rss - warm.rss).toBeLessThan(GROWTH_MAX);
    expect(end.heap - warm.heap).toBeLessThan(HEAP_GROWTH_MAX);

    // Some were refused, and some accepted.
    const count = (what: string) =>
      clients.reduce((sum, { answers }) => sum + (answers.get(what) ?? 0), 0);
    for (const what of ['invalid_frame', 'accepted', 'hello_ok', 'joined', 'not_joined', 'left']) {
      expect({ what, often: count(what) > FRAMES / 200 }).toEqual({ what, often: true });
    }
    expect(count('payload_too_large')).toBeGreaterThan(0);
    expect(clients.some(({ closes }) => closes > 0)).toBe(true);
    expect((await fetch(`${node.url}/live`)).status).toBe(200);
    const next = await FrameClient.connect(node.wsUrl);
    await next.hello();
    await next.final(next.message('still alive'));
    // An unexpected outcome is logged as an error: there must be none.
    expect(node.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    await Promise.all([...clients.map((client) => client.close()), next.close()]);
    expect(await node.stop()).toMatchObject({ code: 0 });
  },
  10 * 60_000,
);
