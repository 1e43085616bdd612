import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  type Balancer,
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startBalancer,
  startRedis,
} from '@sluice/testkit';
import { VersionOneClient } from '../contract/version-1-client.js';
import { Cluster } from '../support/cluster/cluster.js';

const token = 'k3Jx9-old-client-7Qw2Zp';
const heartbeatMs = 500;

describe.each(['hello', 'join'] as const)('a client of version 1 that says %s', (entry) => {
  let cluster: Cluster;
  let nodes: GatewayProcess[];
  let balancer: Balancer;
  let client: VersionOneClient;
  let running: Promise<void>;

  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: {
        drain_timeout: '3s',
        close_spread: '200ms',
        heartbeat_interval: `${heartbeatMs}ms`,
        auth: { tokens: [{ token, principal: 'old', scopes: ['read', 'write'] }] },
      },
      lease: { ttl: '2s' },
    });
    cluster.agent.behave(httpBehaviours.delayMs(100));
    nodes = [await cluster.start(), await cluster.start()];
    balancer = await startBalancer(nodes.map(({ port }) => port));
    await eventually(() => balancer.healthy.length === 2);
    client = new VersionOneClient({ wsUrl: balancer.wsUrl, token, agentId: 'slow', entry });
    running = client.run();
    await eventually(() => client.isOpen);
  });
  afterEach(() => expect(client.fatal).toEqual([]));
  afterAll(async () => {
    client.leave();
    await running;
    await balancer.stop();
    await cluster.stop();
  });

  let said = 0;
  /** Sends `count` messages and waits until each of them is acknowledged. */
  async function say(count: number): Promise<void> {
    const before = client.accepted;
    for (let i = 0; i < count; i += 1) client.say(`message ${++said}`);
    await eventually(() => client.accepted >= before + count);
  }
  const missing = () => {
    const got = new Set(client.replies.values());
    const all = Array.from({ length: said }, (_, i) => `echo: message ${i + 1}`);
    return all.filter((reply) => !got.has(reply));
  };
  const everythingCame = () => eventually(() => missing().length === 0, 10_000);
  async function comeBack(): Promise<void> {
    const before = client.entered.length;
    client.cut();
    await eventually(() => client.entered.length > before && client.isOpen);
  }

  it('S1 E1 gets a reply to each message, in order', async () => {
    await say(3);
    await everythingCame();
    const replies = [...client.replies].sort(([a], [b]) => a - b).map(([, content]) => content);
    expect(replies).toEqual([1, 2, 3].map((n) => `echo: message ${n}`));
  });

  it('E5 E10 finds what was replied while it was away, at first without a cursor', async () => {
    expect(client.cursor).toBeUndefined();
    await say(4);
    await comeBack();
    await everythingCame();
    expect(client.entered.at(-1)).toMatchObject({ resumed: true, session_id: client.sessionId });
  });

  it('E6 gets the status that its work goes on', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(400));
    await say(3);
    await comeBack();
    await eventually(() =>
      client.statuses.some((it) => /^Resuming processing \(\d+ pending messages\)\.\.\.$/.test(it)),
    );
    await everythingCame();
  });

  it('E3 comes back with the cursor of the last replay', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(100));
    await eventually(() => client.cursor !== undefined);
    await say(4);
    await comeBack();
    await everythingCame();
  });

  it('D6 D8 finds every reply across a drain of both nodes, one after the other', async () => {
    for (const node of nodes) {
      const replacement = await cluster.start();
      balancer.use([...balancer.healthy, replacement.port]);
      await eventually(() => balancer.healthy.includes(replacement.port));
      await say(4);
      node.signal('SIGTERM');
      expect((await node.exited).code).toBe(0);
      await eventually(() => client.isOpen);
    }
    await everythingCame();
  });

  it('keeps its connection, saying nothing but its heartbeats', async () => {
    const entered = client.entered.length;
    const pongs = client.pongs;
    await sleep(6 * heartbeatMs); // three times as long as a silent connection is kept
    expect(client.entered.length).toBe(entered);
    expect(client.pongs - pongs > 3).toBe(entry === 'hello');
  });
});
