import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  type Frame,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { EventStream, type ServerSentEvent } from '../support/cluster/event-stream.js';

describe('Server-Sent Events of a session', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  const streams: EventStream[] = [];
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    cluster = await Cluster.open(redis);
    node = await cluster.start({ session: { max_events: 100 } });
  });
  afterAll(async () => {
    for (const stream of streams) stream.close();
    await cluster.stop();
  });
  beforeEach(() => {
    const deltas = ['a', 'b', 'c'];
    cluster.agent.behave(httpBehaviours.stream({ format: 'ndjson', deltas, everyMs: 30 }));
  });

  async function open(session_id: string, query = '', headers = {}): Promise<EventStream> {
    const url = `${node.url}/v1/sessions/${session_id}/events${query}`;
    const stream = await EventStream.open(url, headers);
    streams.push(stream);
    return stream;
  }
  const unmarked = ({ durability: _durability, ...frame }: Frame) => frame;

  it('E3 E8 brings what the socket brings, in the same order, with ids to resume from', async () => {
    const client = await cluster.attach(node, { session_id: 'same' });
    await client.final(client.message('one'));
    const stream = await open('same', '?since=0');
    expect(stream.response.status).toBe(200);
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.response.headers.get('cache-control')).toBe('no-store');
    const id = client.message('two');
    await client.final(id);
    await stream.final(id);
    expect(stream.retryMs).toBeGreaterThan(0);
    expect(stream.frames()).toEqual(client.logged().map(unmarked));
    const { epoch } = await readSession(node, 'same');
    expect(stream.events.map(({ id: position, event }) => [position, event])).toEqual(
      client.logged().map(({ cursor, type }) => [`${epoch}:${cursor}`, type]),
    );
  });

  it('E3 Last-Event-ID resumes after that event and wins over `since`, 30 times in mid-stream', async () => {
    let over = false;
    cluster.agent.behave(async (_turn, { respond, signal }) => {
      const writer = respond.stream('ndjson');
      for (let i = 0; !over && !signal.aborted; i += 1) {
        writer.send({ type: 'tool_call', tool_call: { i } });
        await sleep(5, signal);
      }
      writer.final('over');
    });
    const client = await cluster.attach(node, { session_id: 'resumes' });
    client.message('go', { message_id: 'm1' });
    await client.waitFor({ type: 'tool_call_stream' });
    const seen: ServerSentEvent[] = [];
    for (let i = 0; i < 30; i += 1) {
      const last = seen.at(-1)?.id;
      const stream = await open('resumes', '?since=0', last ? { 'last-event-id': last } : {});
      await eventually(() => stream.events.length > 0, 5_000, 1);
      stream.close();
      seen.push(...stream.events);
    }
    over = true;
    const rest = await open('resumes', '', { 'last-event-id': seen.at(-1)?.id ?? '' });
    await rest.final('m1');
    seen.push(...rest.events);
    await client.final('m1');
    expect(gaps(seen.map(({ data }) => data))).toEqual([]);
    expect(seen.map(({ data }) => data)).toEqual(client.logged().map(unmarked));
  });

  it.each([
    ['of another epoch', { 'last-event-id': '17:2' }, ''],
    ['of an epoch to come', { 'last-event-id': '9999999999999999:2' }, ''],
    ['beyond the head', {}, '?since=99'],
  ])('E4 a position %s gets a snapshot and goes on after it', async (name, headers, query) => {
    const session_id = name.replaceAll(' ', '-');
    const client = await cluster.attach(node, { session_id });
    await client.final(client.message('one'));
    await client.close();
    const stream = await open(session_id, query, headers);
    await eventually(() => stream.events.length > 0);
    const { event_cursor, epoch } = await readSession(node, session_id);
    expect(stream.events[0]).toMatchObject({
      id: `${epoch}:${event_cursor}`,
      event: 'snapshot',
      data: { type: 'snapshot', state: { session_id, event_cursor, epoch } },
    });
    // Nor does it spoil the session for others on this node.
    const other = await cluster.attach(node, { session_id, since: event_cursor });
    const id = other.message('two');
    await other.final(id);
    await stream.final(id);
    expect(gaps(stream.frames().slice(1), Number(event_cursor))).toEqual([]);
  });

  it('E4 trimmed events are replaced by a snapshot too', async () => {
    cluster.agent.behave((_turn, { respond }) => {
      const writer = respond.stream('ndjson');
      for (let i = 0; i < 350; i += 1) writer.send({ type: 'tool_call', tool_call: { i } });
      writer.final('a lot');
    });
    const client = await cluster.attach(node, { session_id: 'trimmed' });
    await client.final(client.message('one'));
    const stream = await open('trimmed');
    await eventually(() => stream.events.length > 0);
    expect(stream.events.map(({ event }) => event)).toEqual(['snapshot']);
  });

  it('B1 HEAD gets the head, and nothing of a stream is kept for it', async () => {
    const client = await cluster.attach(node, { session_id: 'asked-for' });
    await client.final(client.message('one'));
    const readHere = async () => Object(await (await fetch(`${node.url}/info`)).json()).sessions;
    const others = (await readHere()) - 1;
    for (let i = 0; i < 3; i += 1) {
      const url = `${node.url}/v1/sessions/asked-for/events`;
      const { status, headers } = await fetch(url, { method: 'HEAD' });
      expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    }
    await client.close();
    await eventually(async () => expect(await readHere()).toBe(others));
  });

  it('D9 ends with the session', async () => {
    const client = await cluster.attach(node, { session_id: 'ended' });
    await client.final(client.message('one'));
    const stream = await open('ended');
    await eventually(() => stream.events.length > 0);
    await fetch(`${node.url}/v1/sessions/ended`, { method: 'DELETE' });
    await eventually(() => stream.ended);
    expect(stream.events.at(-1)).toMatchObject({ event: 'session_end' });
    expect(gaps(stream.frames())).toEqual([]);
  });

  it.each(['-1', 'x', '1.5', '1'.repeat(33)])('S5 since=%s is refused', async (since) => {
    const client = await cluster.attach(node, { session_id: 'refused' });
    const stream = await open('refused', `?since=${since}`);
    expect(stream.response.status).toBe(400);
    await client.close();
  });
});
