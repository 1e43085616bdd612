import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, gaps, startRedis } from '@sluice/testkit';
import { Cluster } from './cluster.js';

const KiB = 1_024;
const REPLY_BYTES = 60 * KiB;
const TURNS = 120;

describe('a long absence', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis({ args: ['--appendfsync', 'no'] }));
    node = await cluster.start({
      gateway: { max_payload: 64 * KiB, max_reply: 64 * KiB, max_buffered_bytes: 128 * KiB },
    });
    cluster.agent.behave((_turn, { respond }) =>
      respond.json({ content: 'x'.repeat(REPLY_BYTES) }),
    );
  });
  afterAll(() => cluster.stop());

  it('E5 E9 is replayed whole to a reader who keeps reading, however much it is', async () => {
    const client = await cluster.attach(node, { session_id: 'large' });
    for (let i = 0; i < TURNS; i += 1) client.message('more', { message_id: `m${i}` });
    await client.final(`m${TURNS - 1}`, 20_000);
    await client.close();

    const again = await cluster.attach(node, { session_id: 'large' });
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
