import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RING_QUEUE, type RingJob, sessionKeyId } from '@sluice/store';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Queue } from 'bullmq';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';
import { countCalls } from '../support/cluster/count-calls.js';
import { scrape } from '../support/cluster/metric-samples.js';
import { post } from '../support/cluster/pausing.js';
import { ringsOf, waitingRing } from '../support/cluster/rings.js';

const free = { fence: 0, agent: 'slow', principal: 'local' };

describe('a ring', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let queue: Queue<RingJob>;
  let edge: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, { lease: { linger: '50ms' } });
    queue = ringsOf(redis, cluster);
    edge = await cluster.start({ gateway: { roles: ['edge'] } });
    cluster.agent.behave(httpBehaviours.delayMs(0));
  });
  afterEach(() => cluster.stop());

  const startWorker = () => cluster.start({ gateway: { roles: ['worker'] } });
  const turnsOf = (session: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session).length;
  const fieldOf = (session: string, field: string) =>
    redis.client().hget(cluster.sessionKeys(session).state, field);

  /** A message for which no worker has been asked yet. */
  async function unheard(session_id: string) {
    const client = await cluster.attach(edge, { session_id });
    const final = client.final(client.message('x', { message_id: 'm1' }));
    final.catch(() => undefined); // where no test waits for it
    return { client, final, job: await waitingRing(queue) };
  }

  /** Whether the sweep has rung, as it does after 2 s when a ring was not answered. */
  async function sweepRang(worker: GatewayProcess): Promise<boolean> {
    return (await scrape(worker.url)).sum('sluice_sweep_rings_total') > 0;
  }

  it('L2 T7 that says what a peek would find is answered without one, for a new session and a given up one', async () => {
    const { client, final, job } = await unheard('new');
    expect(job.data.free).toEqual(free);
    const peeks = await countCalls(redis.port, scripts.sessionPeek.sha);
    const worker = await startWorker();
    await final;
    await eventually(async () => (await fieldOf('new', 'holder')) === null);
    await client.final(client.message('y', { message_id: 'm2' }));
    expect({ peeks: peeks(), sweepRang: await sweepRang(worker) }).toEqual({
      peeks: 0,
      sweepRang: false,
    });
  });

  it('L2 that says so is followed by a peek when the session has had a lease since', async () => {
    const { final, job } = await unheard('old');
    await job.updateData({ ...job.data, free: { ...free, fence: 7 } });
    const worker = await startWorker();
    await final;
    expect({ turns: turnsOf('old'), sweepRang: await sweepRang(worker) }).toEqual({
      turns: 1,
      sweepRang: false,
    });
  });

  it('L1 that says so is dropped when a node holds the session', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    await unheard('held');
    await startWorker();
    await eventually(() => turnsOf('held') === 1);
    const fence = Number(await fieldOf('held', 'fence'));
    const id = sessionKeyId('local', 'held');
    const job = await queue.add(RING_QUEUE, { id, ring: '9', free: { ...free, fence } });
    await eventually(async () => (await job.getState()) === 'unknown'); // removed, like every answered ring
    expect(turnsOf('held')).toBe(1);
  });

  it('P1 that says so is dropped when the session is paused, and costs it no attempt', async () => {
    const { final } = await unheard('paused');
    expect(await post(edge, 'sessions/paused/pause')).toMatchObject({ status: 200 });
    await startWorker();
    await eventually(async () => (await fieldOf('paused', 'ring_mark')) === null);
    expect(turnsOf('paused')).toBe(0);
    expect(await post(edge, 'sessions/paused/resume')).toMatchObject({ status: 200 });
    await final;
    expect(cluster.agent.turns.at(-1)?.turn.attempt).toBe(1);
  });

  it('T5 T7 comes when it is due, also to a worker that waits for rings alone', async () => {
    const { final, job } = await unheard('late');
    await job.remove();
    await cluster.start({
      gateway: { roles: ['worker'] },
      worker: { sweep_interval: '60s' }, // which would find the session
    });
    const sentMs = performance.now();
    await queue.add(RING_QUEUE, job.data, { delay: 250 });
    await final;
    expect(performance.now() - sentMs).toBeLessThan(800); // a wait in whole seconds would take one
  });

  it('T4 does not say so of a started head, whose attempt may be the last one', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const { client } = await unheard('started');
    const worker = await startWorker();
    await eventually(() => turnsOf('started') === 1);
    await worker.kill();
    await redis.client().hset(cluster.sessionKeys('started').state, 'lease_until', 1);
    client.message('y', { message_id: 'm2' });
    expect((await waitingRing(queue)).data.free).toBeUndefined();
  });
});
