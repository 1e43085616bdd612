import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sessionKeyId } from '@sluice/store';
import {
  type Behaviour,
  eventually,
  type Frame,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

/** Fills the log: streams are trimmed by whole nodes of 100 entries. */
function chatter(respond: Parameters<Behaviour>[1]['respond']) {
  const writer = respond.stream('ndjson');
  for (let i = 0; i < 250; i += 1) writer.send({ type: 'tool_call', tool_call: { i } });
  return writer;
}
const chatty: Behaviour = (_turn, { respond }) => chatter(respond).final('said a lot');

/** The answer to a repeat, from the frame that was answered first: without its place in the log and its input. */
function asRepeat(frame: Frame): Record<string, unknown> {
  const { cursor: _cursor, seq: _seq, epoch: _epoch, input: _input, ...rest } = frame;
  return { ...rest, duplicate: true };
}

describe('a message sent again', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    node = await cluster.start({
      session: { max_events: 1, max_messages: 4, max_inbox: 3, max_seen: 12 },
    });
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));

  let sessions = 0;
  const open = async (hello: Record<string, unknown> = {}) => {
    sessions += 1;
    const session_id = `once-${sessions}`;
    return { session_id, client: await cluster.attach(node, { session_id, ...hello }) };
  };
  const turnsOf = (session_id: string) =>
    cluster.agent.turns.flatMap(({ turn }) =>
      turn.session_id === session_id ? [turn.message_id] : [],
    );
  const repeats = ({ frames }: FrameClient) => frames.filter(({ duplicate }) => duplicate === true);
  /** Everything that the connection had been sent before its answer has arrived. */
  const settle = async (client: FrameClient) => {
    const from = client.frames.length;
    client.send({ type: 'ping' });
    await eventually(() => client.frames.slice(from).some(({ type }) => type === 'pong'));
  };

  it('S3 the same message_id twice is one turn at the agent', async () => {
    const { client, session_id } = await open();
    client.message('hello', { message_id: 'm1' });
    client.message('hello', { message_id: 'm1' });
    const final = await client.final('m1');
    client.message('hello', { message_id: 'm1' });
    await client.waitFor({ status: 'final', duplicate: true });
    client.message('other', { message_id: 'm2' });
    await client.final('m2');
    expect(turnsOf(session_id)).toEqual(['m1', 'm2']);
    const logged = client.logged().filter(({ message_id }) => message_id === 'm1');
    expect(logged.map(({ status }) => status)).toEqual(['accepted', 'final']);
    expect(final.content).toBe('echo: hello');
  });

  it('S3 a repeat gets the same acknowledgement, for the sender alone', async () => {
    const { client, session_id } = await open();
    const other = await cluster.attach(node, { session_id });
    cluster.agent.behave(httpBehaviours.hang());
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    const acks = await client.collect(2, { status: 'accepted' });
    expect(acks.map(({ position, content }) => [position, content])).toEqual([
      [0, 'Started processing.'],
      [1, 'Message queued.'],
    ]);
    await eventually(() => turnsOf(session_id).length === 1);
    const before = await readSession(node, session_id);
    client.message('second', { message_id: 'm2' });
    client.message('first', { message_id: 'm1' });
    const again = await client.collect(2, ({ duplicate }) => duplicate === true);
    expect(again).toEqual(acks.map(asRepeat).reverse());
    await Promise.all([settle(client), settle(other)]);
    expect(repeats(client)).toHaveLength(2);
    expect(repeats(other)).toEqual([]);
    expect(await readSession(node, session_id)).toEqual(before);
  });

  it('S3 a repeat after the end gets the outcome again, for the sender alone', async () => {
    const { client, session_id } = await open();
    const other = await cluster.attach(node, { session_id });
    cluster.agent.behave((_turn, { respond }) =>
      respond.json({ content: 'reply', usage: { tokens: 3 } }),
    );
    client.message('first', { message_id: 'm1' });
    const final = await client.final('m1');
    expect(final).toMatchObject({ content: 'reply', usage: { tokens: 3 }, attempt: 1 });
    const ack = await client.waitFor({ status: 'accepted' });
    other.message('first', { message_id: 'm1' });
    await other.waitFor({ status: 'final', duplicate: true });
    expect(repeats(other)).toEqual([asRepeat(ack), asRepeat(final)]);
    await settle(client);
    expect(repeats(client)).toEqual([]);
    expect(turnsOf(session_id)).toEqual(['m1']);
  });

  it('S3 an outcome trimmed from the log comes from the history, then without content', async () => {
    const { client } = await open();
    cluster.agent.behave(httpBehaviours.delayMs(200, () => 'reply'));
    client.message('first', { message_id: 'm0' });
    client.message('second', { message_id: 'm1' });
    const final = await client.final('m1');
    const ack = await client.waitFor({ status: 'accepted', message_id: 'm1' });
    expect(ack.position).toBe(1);
    cluster.agent.behave(chatty);
    client.message('third', { message_id: 'm2' });
    await client.final('m2');
    const { oldest_cursor } = await client.hello({ agent_id: 'slow', session_id: ack.session_id });
    expect(oldest_cursor).toBeGreaterThan(Number(final.cursor));

    client.message('second', { message_id: 'm1' });
    await client.waitFor({ status: 'final', duplicate: true });
    expect(repeats(client)).toEqual([asRepeat(ack), asRepeat(final)]);

    client.message('fourth', { message_id: 'm3' });
    await client.final('m3');
    client.message('second', { message_id: 'm1' });
    const last = (await client.collect(4, ({ duplicate }) => duplicate === true)).at(-1);
    expect(last).toMatchObject({ content: '', reason: 'no_longer_kept', message_id: 'm1' });
    expect(last).not.toHaveProperty('cursor');
  });

  it('S3 a waiting message whose acceptance was trimmed keeps its acknowledgement', async () => {
    const { client, session_id } = await open();
    let release = () => {};
    cluster.agent.behave(async (turn, { respond }) => {
      const writer = chatter(respond);
      if (turn.message_id === 'm1') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      writer.final('done');
    });
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    const ack = await client.waitFor({ status: 'accepted', message_id: 'm2' });
    await client.waitFor(({ cursor = 0 }) => cursor > 250);
    client.message('second', { message_id: 'm2' });
    const again = await client.waitFor({ duplicate: true });
    expect(again).toEqual(asRepeat(ack));
    release();
    await client.final('m2');
    expect(turnsOf(session_id)).toEqual(['m1', 'm2']);
  });

  it('S3 B1 ids still waiting never leave the window, those with an outcome do', async () => {
    const { client, session_id } = await open();
    cluster.agent.behave(httpBehaviours.hang());
    client.message('running', { message_id: 'r0' });
    client.message('waiting', { message_id: 'w' });
    await client.waitFor({ status: 'accepted', message_id: 'w' });
    for (let i = 1; i <= 14; i += 1) {
      await eventually(() => turnsOf(session_id).includes(`r${i - 1}`));
      client.message('next', { message_id: `r${i}`, mode: 'interrupt' });
      expect(await client.final(`r${i - 1}`)).toMatchObject({ outcome: { status: 'aborted' } });
    }
    const { seen } = cluster.keys.session(sessionKeyId('local', session_id));
    expect(await redis.client().zcard(seen)).toBeLessThanOrEqual(12);
    client.message('waiting', { message_id: 'w' });
    expect(await client.waitFor({ duplicate: true })).toMatchObject({ message_id: 'w' });
    client.message('running', { message_id: 'r0' });
    const acks = { status: 'accepted', message_id: 'r0' };
    expect((await client.collect(2, acks)).map(({ duplicate }) => duplicate)).toEqual([
      undefined,
      undefined,
    ]);
    expect(await cluster.inbox(session_id)).toEqual(['r14', 'w', 'r0']);
  });

  it('S3 two connections that send it at once share one turn', async () => {
    const { client, session_id } = await open();
    const other = await cluster.attach(node, { session_id });
    for (const sender of [client, other]) sender.message('hello', { message_id: 'm1' });
    await Promise.all([client.final('m1'), other.final('m1')]);
    await eventually(() => repeats(client).length + repeats(other).length > 0);
    expect(turnsOf(session_id)).toEqual(['m1']);
  });
});
