import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FrameClient, type GatewayProcess, gaps, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const KiB = 1_024;
/** Together more than the buffers of the system take for one connection, and still one page of the log. */
const REPLY_BYTES = 200 * KiB;
const TURNS = 100;

describe('a long absence', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis({ args: ['--appendfsync', 'no'] }));
    node = await cluster.start({
      gateway: { max_payload: 64 * KiB, max_reply: 256 * KiB, max_buffered_bytes: 512 * KiB },
      session: { max_log_bytes: '64MiB' },
    });
    cluster.agent.behave((_turn, { respond }) =>
      respond.json({ content: 'x'.repeat(REPLY_BYTES) }),
    );
  });
  afterAll(() => cluster.stop());

  it('E5 E9 is replayed whole to a reader who goes on reading, however much it is', async () => {
    const client = await cluster.attach(node, { session_id: 'large' });
    for (let i = 0; i < TURNS; i += 1) client.message('more', { message_id: `m${i}` });
    await client.final(`m${TURNS - 1}`, 20_000);
    await client.close();

    const again = await FrameClient.connect(node.wsUrl);
    await again.hello({ agent_id: 'slow', session_id: 'large', since: 0 });
    await again.waitFor({ type: 'replay' });
    // The client does not read for a moment: the rest must wait in the log.
    again.pause();
    const other = await cluster.attach(node, { session_id: 'other' });
    await other.final(other.message('meanwhile'));
    again.resume();
    await again.final(`m${TURNS - 1}`, 20_000);
    expect(again.logged()).toHaveLength(2 * TURNS);
    expect(gaps(again.logged())).toEqual([]);
    const stream = await fetch(`${node.url}/v1/sessions/large/events?since=0`);
    let bytes = 0;
    for await (const chunk of stream.body ?? []) {
      bytes += chunk.length;
      if (bytes > TURNS * REPLY_BYTES) break;
    }
    expect(bytes).toBeGreaterThan(TURNS * REPLY_BYTES);
  });
});
