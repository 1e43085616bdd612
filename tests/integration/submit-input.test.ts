import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FrameClient, type GatewayProcess, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** In the order of the frame: it goes out as it was stored. */
const SENT = [
  [{ content: 'é "quoted"' }, { content: 'é "quoted"', mode: 'enqueue' }],
  [
    { content: { text: 'an object' }, mode: 'collect' },
    { content: { text: 'an object' }, mode: 'collect' },
  ],
  [
    { content: 'with more', metadata: { tags: ['a', 1] }, in_reply_to: 'q1' },
    { content: 'with more', metadata: { tags: ['a', 1] }, mode: 'enqueue', in_reply_to: 'q1' },
  ],
] as const;

describe('the input of a message', () => {
  let cluster: Cluster;
  let nodes: [GatewayProcess, GatewayProcess];
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    nodes = [await cluster.start(), await cluster.start()];
  });
  afterAll(() => cluster.stop());

  const inputs = (client: FrameClient) =>
    client.logged().flatMap((frame) => (frame.status === 'accepted' ? [frame.input] : []));

  it('E8 E3 goes to every connection, live and in a replay, and stays out of repeats', async () => {
    const [one, two] = nodes;
    const sender = await cluster.attach(one, { session_id: 'devices' });
    const other = await cluster.attach(two, { session_id: 'devices' });
    for (const [at, [frame]] of SENT.entries()) {
      const message_id = `m${at}`;
      sender.send({ type: 'message', message_id, ...frame });
      await other.final(message_id);
      await sender.final(message_id);
    }
    const told = SENT.map(([, input]) => input);
    expect(inputs(sender)).toEqual(told);
    expect(inputs(other)).toEqual(told);
    const late = await cluster.attach(two, { session_id: 'devices', since: 0 });
    await late.final('m2');
    expect(inputs(late)).toEqual(told);

    sender.send({ type: 'message', message_id: 'm0', content: 'again' });
    const repeat = await sender.waitFor({ status: 'accepted', duplicate: true });
    expect(repeat).not.toHaveProperty('input');
  });

  it('E8 goes out for a POST too, whose own answer is without it', async () => {
    const [one, two] = nodes;
    const reader = await cluster.attach(two, { session_id: 'posted' });
    const response = await fetch(`${one.url}/v1/sessions/posted/messages`, {
      method: 'POST',
      body: JSON.stringify({ message_id: 'p1', content: 'over HTTP' }),
    });
    expect(response.status).toBe(202);
    expect(await response.json()).not.toHaveProperty('input');
    await reader.final('p1');
    expect(inputs(reader)).toEqual([{ content: 'over HTTP', mode: 'enqueue' }]);
  });
});
