import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Frame,
  FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const deltas = Array.from({ length: 20 }, (_, i) => `${i} `);
const isDelta = ({ type }: Frame) => type === 'token_stream';
const messageOf = ({ data }: Frame) => String(Object(data).message_id);

describe('a reader with the capability compact_replay', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  async function read(capabilities: string[]): Promise<FrameClient> {
    const client = await FrameClient.connect(node.wsUrl);
    await client.hello({ agent_id: 'slow', session_id: 's', since: 0, capabilities });
    return client;
  }

  it('E3 gets the number of deltas of finished messages in their place, and those of a running turn', async () => {
    cluster.agent.behave(httpBehaviours.stream({ format: 'ndjson', deltas, everyMs: 30 }));
    const live = await cluster.attach(node, { session_id: 's', capabilities: ['streaming'] });
    for (const message_id of ['m1', 'm2']) {
      live.message('go', { message_id });
      await live.final(message_id);
    }
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    cluster.agent.behave(async (_turn, { respond }) => {
      const writer = respond.stream('ndjson');
      writer.delta('begun ');
      await held;
      writer.final('begun and done');
    });
    live.message('go', { message_id: 'm3' });
    await live.waitFor((frame) => isDelta(frame) && messageOf(frame) === 'm3');

    const compact = await read(['streaming', 'compact_replay']);
    const whole = await read(['streaming']);
    for (const reader of [compact, whole]) {
      await reader.waitFor(
        ({ type, message }) => type === 'status' && /^Resuming/.test(`${message}`),
      );
    }
    finish();
    for (const reader of [compact, whole]) await reader.final('m3');

    expect(gaps(compact.logged())).toEqual([]);
    expect([...new Set(compact.logged().filter(isDelta).map(messageOf))]).toEqual(['m3']);
    expect([...new Set(whole.logged().filter(isDelta).map(messageOf))]).toEqual(['m1', 'm2', 'm3']);
    const finals = (client: FrameClient) =>
      client.logged().flatMap(({ status, content }) => (status === 'final' ? [content] : []));
    expect(finals(compact)).toEqual(finals(whole));
    const skipped = compact.logged().reduce((sum, frame) => sum + (frame.skipped ?? 0), 0);
    expect(skipped).toBe(whole.logged().length - compact.logged().length);
    expect(skipped).toBeGreaterThan(10);
  });
});
