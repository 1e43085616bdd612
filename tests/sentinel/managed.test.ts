/** Failover as managed services do it: an address that moves, connections left half open, a read-only primary. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { FailoverSender } from '../chaos/failover-sender.js';
import { Cluster } from '../support/cluster/cluster.js';
import { directory } from '../support/edge/config-loaded.js';

const READY_MS = 15_000;
const CHANGED = 'another redis process answers: sessions get new epochs';

let cluster: Cluster | undefined;
afterEach(() => cluster?.stop());

/** Two servers, the second a replica of the first. */
async function openPair() {
  const first = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  const second = await startRedis({ args: ['--replicaof', '127.0.0.1', String(first.port)] });
  await eventually(
    async () => /state=online/.test(await first.client().info('replication')),
    15_000,
  );
  return { first, second };
}

async function promote(second: TestRedis): Promise<void> {
  await second.client().call('REPLICAOF', 'NO', 'ONE');
}

const isReady = async (node: GatewayProcess) => (await fetch(`${node.url}/ready`)).status === 200;

/** Load over two nodes; `fault` resolves when the second server is writable and the address leads to it. */
async function failsOver(
  { first, second }: Awaited<ReturnType<typeof openPair>>,
  { url, env, fault }: { url: string; env?: Record<string, string>; fault: () => Promise<void> },
): Promise<void> {
  const mine = await Cluster.open(first, { redis: { url }, lease: { ttl: '3s' } });
  cluster = mine;
  mine.agent.behave(httpBehaviours.delayMs(20));
  const nodes = [await mine.start({}, env), await mine.start({}, env)];
  let turn = 0;
  const wsUrl = () => nodes[turn++ % 2]?.wsUrl ?? '';
  const senders = ['a', 'b', 'c', 'd'].map((name) => new FailoverSender(name, wsUrl));
  await eventually(() => senders.every(({ acknowledged }) => acknowledged.size > 3), 15_000);
  await fault();
  const writableMs = performance.now();
  await eventually(() => nodes[0]?.logs.some(({ msg }) => msg === CHANGED) ?? false, READY_MS);
  await eventually(async () => (await Promise.all(nodes.map(isReady))).every(Boolean), READY_MS);
  expect(performance.now() - writableMs).toBeLessThan(READY_MS);
  const before = senders.map(({ acknowledged }) => acknowledged.size);
  await eventually(
    () => senders.every(({ acknowledged }, at) => acknowledged.size > (before[at] ?? 0) + 3),
    20_000,
  );
  for (const sender of senders) sender.stopSending();
  await eventually(() => senders.every(({ isSettled }) => isSettled), 20_000);
  await Promise.all(senders.map((sender) => sender.end()));
  expect(senders.flatMap(({ places }) => places.reused)).toEqual([]);
  for (const node of nodes) {
    expect(node.logs.filter(({ msg }) => msg === CHANGED)).toHaveLength(1);
    expect(await isReady(node)).toBe(true);
  }
  const list = String(await second.client().client('LIST'));
  for (const part of ['commands', 'bulk', 'subscriber', 'ring', 'blocking']) {
    expect(list.match(new RegExp(`name=sluice:\\S+:${part} `, 'g'))).toHaveLength(2);
  }
}

describe('a managed Redis fails over', () => {
  it('C3 S2 connections are left half open: nothing is acknowledged there, and nodes go on', async () => {
    const pair = await openPair();
    const proxy = await startTcpProxy(pair.first.port);
    await failsOver(pair, {
      url: proxy.url,
      fault: async () => {
        proxy.abandon('all');
        proxy.target(pair.second.port);
        await promote(pair.second);
      },
    });
  }, 90_000);

  it('C3 S2 the old primary becomes read-only, and its address leads to it for a while', async () => {
    const pair = await openPair();
    const proxy = await startTcpProxy(pair.first.port);
    await failsOver(pair, {
      url: proxy.url,
      fault: async () => {
        await promote(pair.second);
        await pair.first.client().call('REPLICAOF', '127.0.0.1', pair.second.port);
        await sleep(2_000); // the name still leads to the old one: nodes connect there again and again
        proxy.target(pair.second.port);
      },
    });
  }, 90_000);

  it('C3 a name is looked up at each connect: it moves to another address', async () => {
    const pair = await openPair();
    const one = await startTcpProxy(pair.first.port, '127.0.0.2');
    const two = await startTcpProxy(pair.second.port, '127.0.0.3', one.port);
    const file = join(directory(), 'address');
    writeFileSync(file, '127.0.0.2');
    const shim = join(process.cwd(), 'tests/support/cluster/moving-name.cjs');
    await failsOver(pair, {
      url: `redis://redis.test:${two.port}`,
      env: { NODE_OPTIONS: `--require=${shim}`, TEST_NAME_FILE: file },
      fault: async () => {
        await promote(pair.second);
        writeFileSync(file, '127.0.0.3');
        await one.refuse(true);
        one.cutAll();
      },
    });
  }, 90_000);
});
