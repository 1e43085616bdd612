import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** A hundredth of the sessions that a node may hold. */
const SESSIONS = 300;
const TTL_MS = 4_000;

describe('a node with hundreds of idle leases', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let client: ReturnType<TestRedis['client']>;
  const sockets: FrameClient[] = [];

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendonly', 'no'] });
    client = redis.client();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      lease: { ttl: `${TTL_MS}ms` },
      agents: { echo: { kind: 'echo', stream: false } },
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.cut();
    await cluster.stop();
  });

  const ids = Array.from({ length: SESSIONS }, (_, n) => `s${n}`);
  const keysOf = (id: string) => cluster.keys.session(sessionKeyId('local', id));
  const leases = () => client.exists(...ids.map((id) => keysOf(id).lease));

  /** Starts an edge, and a worker that runs a turn of each session; returns the worker. */
  async function holding(): Promise<GatewayProcess> {
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const worker = await cluster.start({ gateway: { roles: ['worker'] } });
    for (const session_id of ids) {
      const socket = await FrameClient.connect(edge.wsUrl);
      await socket.hello({ session_id, agent_id: 'echo', since: 0 });
      sockets.push(socket);
    }
    await sayAll('first');
    expect(await leases()).toBe(SESSIONS);
    return worker;
  }
  const sayAll = (content: string) =>
    Promise.all(
      sockets.map(async (socket) => {
        expect(await socket.final(socket.message(content), 20_000)).toMatchObject({
          outcome: { status: 'ok' },
        });
      }),
    );

  it('D5 D7 gives all of them up at once when it drains', async () => {
    const worker = await holding();
    await cluster.start({ gateway: { roles: ['worker'] } });
    worker.signal('SIGTERM');
    const exit = await worker.exited;
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.ms).toBeLessThan(4_000); // on a busy machine
    expect(await leases()).toBe(0);
    const states = await Promise.all(
      ids.map((id) => client.hmget(keysOf(id).state, 'holder', 'ring_mark')),
    );
    expect(states.filter((fields) => fields.some((it) => it !== null))).toEqual([]);
    await sayAll('second');
  }, 60_000);

  it('C1 costs their next messages no more than a takeover when it dies', async () => {
    const worker = await holding();
    await Promise.all([1, 2].map(() => cluster.start({ gateway: { roles: ['worker'] } })));
    worker.signal('SIGSTOP'); // it stays subscribed, so each wake counts as heard
    await client.config('RESETSTAT');
    const sentMs = performance.now();
    const answered = sayAll('second');
    await eventually(async () => {
      const stats = await client.info('commandstats');
      return Number(/cmdstat_rpush:calls=(\d+)/.exec(stats)?.[1] ?? 0) >= SESSIONS;
    });
    await worker.kill();
    await answered;
    const ms = performance.now() - sentMs;
    process.stdout.write(
      `${SESSIONS} sessions of a dead node: all answered after ${ms.toFixed(0)} ms\n`,
    );
    expect(ms).toBeLessThan(TTL_MS + 2_000 + 4_000); // the last on a busy machine
  }, 60_000);
});
