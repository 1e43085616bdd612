import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  eventually,
  freePort,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { sluice, startSluice } from '../support/cluster/sluice.js';

// Each command is a new process, which starts slowly on a busy machine.
jest.setTimeout(90_000);

const clean = { lost: 0, doubled: 0, reordered: 0, unanswered: 0 };

describe('sluice bench', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { drain_timeout: '2s', close_spread: '100ms' },
      agents: { echo: { kind: 'echo', delay_ms: 1 } },
    });
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  async function bench(args: string, url = node.url) {
    const { status, stdout, stderr } = await sluice(
      ['bench', '--url', url, '--json', ...args.split(' ')],
      {},
    );
    return { status, stderr, result: stdout ? JSON.parse(stdout) : undefined };
  }

  it('S2 T1 closed: counts each message once, with latencies and throughput', async () => {
    const args = '--agent echo --connections 4 --messages 5 --size 100 --stream';
    const { status, stderr, result } = await bench(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(result).toMatchObject({
      ...{ ...clean, connections: 4, mode: 'closed', sent: 20, acknowledged: 20, finished: 20 },
      ...{ outcomes: { ok: 20 }, errors: {}, reconnects: 0 },
    });
    expect(result.deltas).toBeGreaterThan(0);
    expect(result.per_second).toBeGreaterThan(0);
    for (const { p50, p95, p99, max } of [result.ack_ms, result.reply_ms]) {
      expect(p50).toBeGreaterThan(0);
      expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].sort((a, b) => a - b));
    }
    expect(result.reply_ms.p50).toBeGreaterThanOrEqual(result.ack_ms.p50);
  });

  it('T1 open: keeps its rate, and counts latency from when a message was due', async () => {
    // Turns of 200 ms at 10 messages per second and session: the last message waits for all earlier turns.
    cluster.agent.behave(httpBehaviours.delayMs(200));
    const args = '--agent slow --connections 1 --rate 10 --messages 20';
    const { status, result } = await bench(args);
    expect({ status, result }).toMatchObject({
      status: 0,
      result: { ...clean, mode: 'open', sent: 20, finished: 20 },
    });
    expect(result.reply_ms.max).toBeGreaterThan(1_500);
  });

  it('S2 ends with 1 when an acknowledged message has no outcome', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const { status, result } = await bench(
      '--agent slow --connections 2 --rate 10 --messages 2 --wait 500ms',
    );
    expect(status).toBe(1);
    expect(result).toMatchObject({ ...clean, sent: 4, acknowledged: 4, finished: 0, lost: 4 });
  });

  it('D8 loses nothing when its node drains: it comes back and goes on', async () => {
    const port = await freePort();
    const first = await cluster.start({ gateway: { port } });
    const { child, status } = startSluice([
      ...['bench', '--url', first.url, '--json', '--agent', 'echo'],
      ...['--connections', '3', '--rate', '30', '--duration', '6s'],
    ]);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await eventually(async () => {
      const info = await (await fetch(`${first.url}/info`)).json();
      return Object(info).connections === 3;
    }, 20_000);
    await first.stop();
    await cluster.start({ gateway: { port } });
    expect(await status).toBe(0);
    const result = JSON.parse(output);
    expect(result).toMatchObject(clean);
    expect(result.reconnects).toBeGreaterThanOrEqual(3);
    expect(result.finished).toBe(result.acknowledged);
  });

  it('refuses what makes no sense, and says when nobody is there', async () => {
    expect(await bench('--duration soon')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--duration soon: give a duration/),
    });
    expect(await bench('--connections 0')).toMatchObject({ status: 2 });
    expect(await bench('--messages 1', `http://127.0.0.1:${await freePort()}`)).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(/cannot reach/),
    });
    expect(await bench('--agent none')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/refused a connection: .*agent_not_found/),
    });
  });
});
