import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { risesOf, scrape } from '../support/cluster/metric-samples.js';

const isFinal = ({ status }: { status?: unknown }) => status === 'final';

describe('what a node counts', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start({
      gateway: { max_connections: 3, max_buffered_bytes: '2MiB', max_queued_frames: 10 },
      lease: { linger: '50ms' },
      session: { max_inbox: 2 },
      slow: { retry: { for: '500ms' } },
    });
  });
  afterAll(() => cluster.stop());

  it('S1 S3 S4 S5 messages by their result, their acknowledgements and their waits', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const rises = await risesOf(node.url);
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('one', { message_id: 'm1' });
    await client.waitFor(isFinal);
    client.message('one', { message_id: 'm1' });
    await client.waitFor(({ duplicate }) => duplicate === true);
    client.message('');
    await client.waitFor(({ code }) => code === 'invalid_frame');
    await fetch(`${node.url}/v1/sessions/none/messages`, {
      method: 'POST',
      body: '{"content":"x"}',
    });

    const messages = 'sluice_messages_total';
    await rises(messages, 1, { result: 'accepted' });
    await rises(messages, 1, { result: 'duplicate' });
    await rises(messages, 1, { result: 'invalid_frame' });
    await rises(messages, 1, { result: 'session_not_found' });
    await rises('sluice_ack_seconds_count', 2);
    await rises('sluice_turns_total', 1, { agent: 'slow', outcome: 'ok' });
    await rises('sluice_turn_seconds_count', 1, { agent: 'slow' });
    await rises('sluice_queue_wait_seconds_count', 1);
    await rises('sluice_leases_acquired_total', 1);
    await rises('sluice_upgrades_total', 1, { result: 'accepted' });
    await rises('sluice_replay_events_count', 1);
    await rises('sluice_takeovers_total', 0);
    client.cut();
  });

  it('S4 T1 D9 what waits, and the end of a session, which is no lost lease', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const rises = await risesOf(node.url);
    const client = await cluster.attach(node, { session_id: 'full' });
    for (const message_id of ['m1', 'm2', 'm3']) client.message('x', { message_id });
    await client.waitFor(({ code }) => code === 'inbox_full');
    await rises('sluice_messages_total', 1, { result: 'inbox_full' });
    await rises('sluice_executing_turns', 1);
    await eventually(async () => {
      const { sum } = await scrape(node.url); // the cluster is asked every 5 s
      const pending = ['messages', 'sessions'].map((of) => sum(`sluice_cluster_pending_${of}`));
      expect(pending).toEqual([2, 1]);
      expect(sum('sluice_cluster_oldest_pending_seconds')).toBeGreaterThan(0);
    }, 10_000);
    await fetch(`${node.url}/v1/sessions/full`, { method: 'DELETE' });
    await rises('sluice_session_ends_total', 1, { reason_code: 'client_end' });
    await rises('sluice_executing_turns', 0);
    await rises('sluice_leases_lost_total', 0);
    await rises('sluice_fenced_writes_total', 0);
    client.cut();
  });

  it('B1 E9 connections that find no room, and readers that are too slow', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0, () => 'x'.repeat(1_000_000)));
    await eventually(async () =>
      expect((await scrape(node.url)).sum('sluice_connections')).toBe(0),
    );
    const rises = await risesOf(node.url);
    const [slow, quick] = [
      await cluster.attach(node, { session_id: 'slow' }),
      await cluster.attach(node, { session_id: 'slow' }),
    ];
    const third = await cluster.attach(node, { session_id: 'slow' });
    const refused = await FrameClient.connect(node.wsUrl);
    await rises('sluice_connections', 3, { kind: 'websocket' });
    await rises('sluice_upgrades_total', 1, { result: 'full' });
    refused.cut();
    third.cut();
    slow.pause();
    for (let sent = 0; sent < 20; sent += 1) {
      quick.message('x', { message_id: `big${sent}` });
      await quick.next(isFinal);
    }
    await rises('sluice_slow_consumers_total', 1);
    quick.cut();
    slow.cut();
  });

  it('T4 dead letters by why there is no attempt left', async () => {
    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    const rises = await risesOf(node.url);
    const client = await cluster.attach(node, { session_id: 'dead' });
    client.message('x', { message_id: 'd1' });
    await client.waitFor(isFinal, 20_000);
    await rises('sluice_dead_letters_total', 1, { reason: 'agent_failed' });
    await rises('sluice_turns_total', 1, { outcome: 'dead_lettered' });
    await rises('sluice_cluster_dead_letters', 1);
    client.cut();
  }, 40_000);

  it('D9 what a group of readers has to do, also when entries were trimmed before it read them', async () => {
    const client = cluster.redis.client();
    const stream = `${cluster.prefix}:session-end`;
    await client.xgroup('CREATE', stream, 'late', '$');
    for (let n = 0; n < 4; n++) await client.xadd(stream, '*', 'v', '1');
    const tells = (lag: number, pending: number) =>
      eventually(async () => {
        const { sum } = await scrape(node.url);
        expect({
          lag: sum('sluice_cluster_group_lag', { group: 'late' }),
          pending: sum('sluice_cluster_group_pending', { group: 'late' }),
        }).toEqual({ lag, pending });
      }, 10_000);
    await tells(4, 0);
    await client.xtrim(stream, 'MAXLEN', '=', 2);
    await client.xreadgroup('GROUP', 'late', 'one', 'STREAMS', stream, '>');
    await tells(0, 2);
  });
});
