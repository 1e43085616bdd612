import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  startTcpProxy,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { risesOf, scrape } from '../support/cluster/metric-samples.js';

describe('what nodes of a cluster count', () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.open(await startRedis(), {
      lease: { ttl: '1s', linger: '50ms' },
      gateway: { drain_timeout: '1s' },
    });
  });
  afterEach(() => cluster.stop());

  const isFinal = ({ status }: { status?: unknown }) => status === 'final';
  const answering = httpBehaviours.delayMs(0);
  /** Waits until this worker executes `turns` turns. */
  const executes = (node: GatewayProcess, turns: number) =>
    eventually(async () => {
      const { sum } = await scrape(node.url);
      expect(sum('sluice_executing_turns')).toBe(turns);
    });

  it('C1 a session of a node that was killed: a takeover, not a hand-over, and one ring of the sweep', async () => {
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const worker = await cluster.start({ gateway: { roles: ['worker'] } });
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(edge, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) client.message('x', { message_id });
    await executes(worker, 1);
    cluster.agent.behave(answering);
    await worker.kill();
    const heir = await cluster.start({ gateway: { roles: ['worker'] } });
    const finals = client.collect(2, isFinal, 20_000);
    await eventually(async () => {
      const { sum } = await scrape(heir.url);
      expect(sum('sluice_turns_total', { outcome: 'ok' })).toBe(2);
    }, 20_000);
    await finals;
    const { sum } = await scrape(heir.url);
    expect({
      takeovers: sum('sluice_takeovers_total'),
      pauses: sum('sluice_hand_over_pause_seconds_count'),
      rings: sum('sluice_sweep_rings_total') > 0,
      waits: sum('sluice_queue_wait_seconds_count'), // m2 only: m1 had begun on another node
    }).toEqual({ takeovers: 1, pauses: 0, rings: true, waits: 1 });
  }, 40_000);

  it('L3 L4 a write that Redis refused, and the lease that was lost', async () => {
    const node = await cluster.start({ lease: { ttl: '5s' } }); // long enough for a renewal to be refused first
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(node, { session_id: 's' });
    const { turns } = cluster.agent;
    const { length } = turns;
    client.message('x', { message_id: 'm1' });
    await eventually(() => turns.length > length); // the begin has written the token
    const rises = await risesOf(node.url);
    cluster.agent.behave(answering);
    // As if another node had taken the lease.
    await cluster.redis.client().hset(cluster.sessionKeys('s').state, 'token', 'of-another');
    await client.waitFor(isFinal, 20_000);
    await rises('sluice_fenced_writes_total', 1, { call: 'lease-renew' });
    await rises('sluice_leases_lost_total', 1);
    await rises('sluice_takeovers_total', 1);
  }, 40_000);

  it('D2 D5 a drain: the session that is handed over, and how long it stood still', async () => {
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const worker = await cluster.start({ gateway: { roles: ['worker'], drain_timeout: '20s' } });
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    cluster.agent.behave(async (turn, context) => {
      if (turn.session_id === 'long') return httpBehaviours.hang()(turn, context);
      await released;
      context.respond.json({ content: 'done' });
    });
    const [long, short] = [
      await cluster.attach(edge, { session_id: 'long' }),
      await cluster.attach(edge, { session_id: 'short' }),
    ];
    long.message('x');
    for (const message_id of ['m1', 'm2']) short.message('x', { message_id });
    await executes(worker, 2);
    const heir = await cluster.start({ gateway: { roles: ['worker'] } });
    const [drained, taken] = [await risesOf(worker.url), await risesOf(heir.url)];
    worker.signal('SIGTERM');
    await drained('sluice_draining', 1);
    await drained('sluice_cluster_nodes', 1, { state: 'draining' });
    release();
    await short.collect(2, isFinal);
    await drained('sluice_hand_overs_total', 1);
    await drained('sluice_turns_total', 1);
    await taken('sluice_hand_over_pause_seconds_count', 1);
    await taken('sluice_takeovers_total', 0);
    await taken('sluice_queue_wait_seconds_count', 1);
    expect((await scrape(heir.url)).sum('sluice_hand_over_pause_seconds_sum')).toBeLessThan(5);
  }, 40_000);

  it('D3 D4 a drain: the turn that is cut at the deadline, counted where it begins again, and its SESSION_END', async () => {
    const proxy = await startTcpProxy(cluster.redis.port);
    const worker = await cluster.start({ redis: { url: proxy.url } });
    cluster.agent.behave(httpBehaviours.hang());
    const client = await cluster.attach(worker, { session_id: 's' });
    client.message('x', { message_id: 'm1' });
    await executes(worker, 1);
    const heir = await cluster.start();
    const begins = await risesOf(heir.url);
    proxy.latency(150); // slows the calls after the cut, so that the node can still be asked
    worker.signal('SIGTERM');
    cluster.agent.behave(answering);
    await eventually(async () => {
      const { sum } = await scrape(worker.url);
      expect(sum('sluice_session_ends_total', { reason_code: 'drain_timeout' })).toBe(1);
    });
    expect((await worker.exited).code).toBe(0);
    await begins('sluice_hand_over_pause_seconds_count', 1);
    await begins('sluice_turns_aborted_by_drain_total', 1);
  }, 40_000);

  it('X5 refusals by a rate', async () => {
    const node = await cluster.start({
      gateway: { rate_limit: { messages_per_second: 1, burst: 1, sessions_per_minute: 1 } },
    });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const rises = await risesOf(node.url);
    const client = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) client.message('x', { message_id });
    await client.waitFor(({ code }) => code === 'rate_limited');
    await rises('sluice_rate_limited_total', 1, { limit: 'messages' });
    await rises('sluice_messages_total', 1, { result: 'rate_limited' });
    const body = JSON.stringify({ content: 'x', agent_id: 'slow' });
    const { status } = await fetch(`${node.url}/v1/sessions/b/messages`, { method: 'POST', body });
    expect(status).toBe(429);
    await rises('sluice_rate_limited_total', 2);
  });
});
