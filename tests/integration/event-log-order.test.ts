import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { sessionKeyId } from '@sluice/store';
import {
  type Behaviour,
  eventually,
  type Frame,
  FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  loggedFrame,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const streaming = httpBehaviours.stream({ format: 'sse', deltas: ['a', 'b', 'c'], everyMs: 35 });

/** Streams on until `isOver`: an event every few milliseconds, then the final. */
const endless =
  (isOver: () => boolean): Behaviour =>
  async (_turn, { respond, signal }) => {
    const writer = respond.stream('ndjson');
    for (let i = 0; !isOver() && !signal.aborted; i += 1) {
      writer.send({ type: 'tool_call', tool_call: { i } });
      await sleep(2, signal);
    }
    writer.final('over');
  };

describe('the event log', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    cluster = await Cluster.open(redis);
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(streaming));

  /** A session with the events of three streamed turns in its log. */
  async function spoken(session_id: string): Promise<FrameClient> {
    const client = await cluster.attach(node, { session_id });
    for (const id of ['m1', 'm2', 'm3']) client.message(`text ${id}`, { message_id: id });
    await client.final('m3');
    return client;
  }
  const headOf = (client: FrameClient) => client.logged().length;

  it('E1 numbers every event of a session from 1 without a hole, streams included', async () => {
    const client = await spoken('dense');
    const logged = client.logged();
    expect(logged.map(({ cursor }) => cursor)).toEqual(logged.map((_, i) => i + 1));
    expect(logged.map(({ seq }) => seq)).toEqual(logged.map(({ cursor }) => cursor));
    const tokens = logged.filter(({ type }) => type === 'token_stream');
    expect(tokens.length).toBeGreaterThan(3);
    expect(logged.filter(({ type }) => type === 'stream_end')).toHaveLength(3);
    const { events } = cluster.keys.session(sessionKeyId('local', 'dense'));
    const stored = await redis.client().xrange(events, '-', '+');
    expect(stored.map(([id]) => id)).toEqual(logged.map((_, i) => `${i + 1}-0`));
    // The final is the last of its turn, and has what was streamed.
    for (const message_id of ['m1', 'm2', 'm3']) {
      const own = logged.filter(({ data }) => Object(data).message_id === message_id);
      const text = own.filter(({ type }) => type === 'token_stream').map(({ data }) => data);
      const final = await client.final(message_id);
      expect(text.map((data) => Object(data).content).join('')).toBe('abc');
      expect(final.content).toBe('abc');
      for (const { cursor = 0 } of own) expect(cursor).toBeLessThan(final.cursor ?? 0);
    }
  });

  it('E3 replays every event after `since`, in order, once', async () => {
    const client = await spoken('replayed');
    const head = headOf(client);
    const readers: FrameClient[] = [];
    for (let since = 0; since <= head; since += 1) {
      const again = await FrameClient.connect(node.wsUrl);
      readers.push(again);
      const hello = await again.hello({ agent_id: 'slow', session_id: 'replayed', since });
      expect(hello).toMatchObject({
        resumed: true,
        cursor: head,
        sequence: head,
        oldest_cursor: 1,
        resync_required: false,
        pending: 0,
        is_executing: false,
      });
    }
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const id = client.message('and live');
    await client.final(id);
    for (const [since, reader] of readers.entries()) {
      await reader.final(id);
      const replays = reader.frames.filter(({ type }) => type === 'replay');
      expect(replays).toHaveLength(head - since);
      expect(reader.logged().map(unmarked)).toEqual(client.logged().slice(since).map(unmarked));
      expect(reader.frames.filter(({ type }) => type === 'snapshot')).toEqual([]);
    }
  });

  it('E3 wraps what it replays as it was first sent, and goes on live', async () => {
    const client = await spoken('wrapped');
    const again = await FrameClient.connect(node.wsUrl);
    const since = headOf(client) - 1;
    const { epoch, cursor } = await again.hello({ agent_id: 'slow', session_id: 'wrapped', since });
    const [replay] = await again.collect(1, { type: 'replay' });
    const last = client.logged().at(-1);
    expect(replay).toEqual({
      type: 'replay',
      seq: cursor,
      event: {
        type: 'response',
        data: last,
        event_id: `${epoch}:${cursor}`,
        timestamp: expect.any(Number),
        source: 'slow',
        target: 'wrapped',
        sequence: cursor,
      },
    });
    await again.final(again.message('more'));
    expect(again.frames.filter(({ type }) => type === 'replay')).toHaveLength(1);
    expect(gaps(again.logged(), since)).toEqual([]);
  });

  it('E3 the legacy join takes `since` as digits', async () => {
    const client = await spoken('legacy');
    const again = await FrameClient.connect(node.wsUrl);
    again.send({ type: 'join', agent_id: 'slow', session_id: 'legacy', since: '2' });
    expect(await again.waitFor({ type: 'joined' })).toMatchObject({
      session_id: 'legacy',
      agent_id: 'slow',
      resumed: true,
      cursor: headOf(client),
      resync_required: false,
    });
    await again.collect(headOf(client) - 2, { type: 'replay' });
    expect(gaps(again.logged(), 2)).toEqual([]);
  });

  it('E1 says how many events were left out for a client without streaming', async () => {
    const client = await cluster.attach(node, { session_id: 'quiet', capabilities: [] });
    for (const id of ['m1', 'm2', 'm3']) client.message(`text ${id}`, { message_id: id });
    await client.final('m3');
    const logged = client.logged();
    expect(new Set(logged.map(({ type }) => type))).toEqual(new Set(['response']));
    expect(gaps(logged)).toEqual([]);
    expect(logged.filter(({ skipped = 0 }) => skipped > 0)).toHaveLength(3);
    const again = await cluster.attach(node, { session_id: 'quiet', capabilities: [], since: 1 });
    await again.final('m3');
    expect(gaps(again.logged(), 1)).toEqual([]);
  });

  it.each([
    ['beside a connection that stays', true],
    ['as the only connection of its node', false],
  ])(
    'E3 loses and doubles nothing at the seam: 50 reconnects in mid-stream, %s',
    async (_, stays) => {
      let over = false;
      cluster.agent.behave(endless(() => over));
      const session_id = `seam-${stays}`;
      const first = await cluster.attach(node, { session_id });
      first.message('go', { message_id: 'm1' });
      await first.waitFor({ type: 'tool_call_stream' });
      if (!stays) await first.close();
      const seen: Frame[] = [];
      for (let i = 0; i < 50; i += 1) {
        const since = seen.at(-1)?.cursor ?? 0;
        const client = await cluster.attach(node, { session_id, since });
        await client.waitFor((frame) => loggedFrame(frame) !== undefined);
        // Every second time right after the first event, else a little later.
        if (i % 2 === 0) await sleep((3 * i) % 17);
        client.cut();
        seen.push(...client.logged());
      }
      over = true;
      const last = await cluster.attach(node, { session_id, since: seen.at(-1)?.cursor });
      await last.final('m1');
      seen.push(...last.logged());
      expect(gaps(seen)).toEqual([]);
      const whole = await cluster.attach(node, { session_id });
      await whole.final('m1');
      expect(seen.map(unmarked)).toEqual(whole.logged().map(unmarked));
      if (stays) expect(first.logged().map(unmarked)).toEqual(whole.logged().map(unmarked));
      expect(seen.length).toBeGreaterThan(50);
    },
  );

  it('E3 E5 an event that no other follows reaches the only reader, which attaches at that moment', async () => {
    let release = () => {};
    cluster.agent.behave(async (_turn, { respond }) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      respond.json({ content: 'done' });
    });
    for (let i = 0; i < 120; i += 1) {
      const turns = cluster.agent.turns.length;
      const url = `${node.url}/v1/sessions/quiet-${i}/messages`;
      const body = JSON.stringify({ agent_id: 'slow', content: 'hello', message_id: 'm1' });
      await fetch(url, { method: 'POST', body });
      await eventually(() => cluster.agent.turns.length > turns, 5_000, 1);
      const client = await FrameClient.connect(node.wsUrl);
      const hello = { type: 'hello', agent_id: 'slow', session_id: `quiet-${i}`, since: 1 };
      if (i % 3 === 0) client.send(hello);
      release();
      if (i % 3 === 1) client.send(hello);
      if (i % 3 === 2) setImmediate(() => client.send(hello));
      await client.final('m1', 2_000);
      expect(gaps(client.logged(), 1)).toEqual([]);
      client.cut();
    }
  });

  it('E3 loses and doubles nothing when publish/subscribe breaks in mid-stream', async () => {
    let over = false;
    cluster.agent.behave(endless(() => over));
    const client = await cluster.attach(node, { session_id: 'broken' });
    client.message('go', { message_id: 'm1' });
    for (let i = 1; i <= 5; i += 1) {
      const from = headOf(client);
      await eventually(() => headOf(client) > from + 10);
      await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    }
    over = true;
    await client.final('m1');
    expect(gaps(client.logged())).toEqual([]);
  });

  it('E8 every connection sees the same events in the same order, on any node', async () => {
    cluster.agent.behave(httpBehaviours.stream({ format: 'sse', deltas: ['a', 'b'], everyMs: 15 }));
    const far = await cluster.start({ gateway: { roles: ['edge'] } });
    const clients = [
      await cluster.attach(node, { session_id: 'shared' }),
      await cluster.attach(node, { session_id: 'shared' }),
      await cluster.attach(far, { session_id: 'shared' }),
    ];
    for (let round = 0; round < 5; round += 1) {
      for (const [i, client] of clients.entries()) {
        client.message(`from ${i}`, { message_id: `m${round}-${i}` });
      }
    }
    const views = await Promise.all(
      clients.map(async (client) => {
        await client.collect(15, { status: 'final' }, 15_000);
        return client.logged().map(unmarked);
      }),
    );
    expect(gaps(clients[0]?.logged() ?? [])).toEqual([]);
    expect(views[1]).toEqual(views[0]);
    expect(views[2]).toEqual(views[0]);
    // Only the sender gets the durability of its acknowledgement.
    for (const [i, client] of clients.entries()) {
      const told = client.logged().filter(({ durability }) => durability !== undefined);
      expect(told.map(({ message_id }) => message_id)).toEqual(
        Array.from({ length: 5 }, (_, round) => `m${round}-${i}`),
      );
    }
  });
});

/** The frame without fields that are for one connection alone. */
function unmarked({ durability: _durability, epoch: _epoch, ...frame }: Frame) {
  return frame;
}
