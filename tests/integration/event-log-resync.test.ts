import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
import { Cluster, readSession } from '../support/cluster/cluster.js';

/** More events than the log keeps. */
const chatty: Behaviour = ({ content }, { respond }) => {
  const writer = respond.stream('ndjson');
  for (let i = 0; i < 250; i += 1) writer.send({ type: 'tool_call', tool_call: { i } });
  writer.final(`said: ${content}`);
};

describe('a cursor that the log cannot continue', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    // Only what is saved by hand outlives the process: a Redis that loses its tail.
    redis = await startRedis({ args: ['--appendonly', 'no', '--save', ''] });
    cluster = await Cluster.open(redis, { lease: { ttl: '1s', linger: '50ms' } });
    node = await cluster.start({ session: { max_events: 100 } });
  });
  afterAll(() => cluster.stop());

  const enter = async (hello: Record<string, unknown>) => {
    const client = await FrameClient.connect(node.wsUrl);
    return { client, hello: await client.hello({ agent_id: 'slow', ...hello }) };
  };
  async function spoken(session_id: string, behaviour = httpBehaviours.delayMs(0)) {
    cluster.agent.behave(behaviour);
    const client = await cluster.attach(node, { session_id });
    for (const id of ['m1', 'm2']) client.message(`text ${id}`, { message_id: id });
    await client.final('m2');
    cluster.agent.behave(httpBehaviours.delayMs(0));
    return client;
  }

  /** After a resync only the snapshot comes, and then new events. */
  async function expectSnapshot(client: FrameClient, session_id: string) {
    const before = await readSession(node, session_id);
    const { state } = await client.waitFor({ type: 'snapshot' });
    // Without `holder`, because a lingering lease may end in between.
    const { events: _, holder: _holder, older: _older, work: _work, ...persisted } = before;
    expect(state).toMatchObject(persisted);
    expect(state).not.toHaveProperty('events');
    await client.final(client.message('new'));
    expect(client.frames.filter(({ type }) => type === 'replay')).toEqual([]);
    expect(gaps(client.logged(), Number(before.event_cursor))).toEqual([]);
  }

  it('E4 does not occur in an intact log: since 0 replays all, since the head nothing', async () => {
    await spoken('intact');
    for (const since of [4, 0]) {
      const { client, hello } = await enter({ session_id: 'intact', since });
      const head = Number(hello.cursor);
      expect(hello).toMatchObject({ oldest_cursor: 1, resync_required: false });
      await client.final(client.message('and live'));
      expect(client.frames.filter(({ type }) => type === 'replay')).toHaveLength(head - since);
      expect(gaps(client.logged(), since)).toEqual([]);
      expect(client.frames.filter(({ type }) => type === 'snapshot')).toEqual([]);
    }
    const { hello } = await enter({ session_id: 'fresh', since: 0 });
    expect(hello).toMatchObject({ resumed: false, cursor: 0, resync_required: false });
  });

  it('E4 before the oldest event: a snapshot instead of a partial replay', async () => {
    await spoken('trimmed', chatty);
    const { client, hello } = await enter({ session_id: 'trimmed', since: 1 });
    expect(hello.resync_required).toBe(true);
    expect(Number(hello.oldest_cursor)).toBeGreaterThan(2);
    await expectSnapshot(client, 'trimmed');
    const oldest = Number((await enter({ session_id: 'trimmed', since: 1 })).hello.oldest_cursor);
    // The last cursor that can still be continued is the one right before the oldest event.
    const edge = await enter({ session_id: 'trimmed', since: oldest - 1 });
    expect(edge.hello.resync_required).toBe(false);
    await edge.client.waitFor({ type: 'replay', seq: oldest });
    expect((await enter({ session_id: 'trimmed', since: oldest - 2 })).hello).toMatchObject({
      resync_required: true,
    });
  });

  it('E4 a client that never sends since gets the snapshot too', async () => {
    const client = await cluster.attach(node, { session_id: 'unaware', since: undefined });
    client.message('hello', { message_id: 'm0' });
    await client.final('m0');
    await client.close();
    await spoken('unaware', chatty);
    const { client: again, hello } = await enter({ session_id: 'unaware' });
    expect(hello).toMatchObject({ resumed: true, resync_required: true });
    await expectSnapshot(again, 'unaware');
  });

  it('E4 of another epoch: a snapshot', async () => {
    await spoken('foreign');
    const { client, hello } = await enter({ session_id: 'foreign', since: 2, epoch: '17' });
    expect(hello).toMatchObject({ resync_required: true, cursor: 4 });
    await expectSnapshot(client, 'foreign');
  });

  it('E4 E2 beyond the head: a snapshot, and a new epoch when the client has named the present one', async () => {
    await spoken('beyond');
    const { epoch } = await readSession(node, 'beyond');
    const unnamed = await enter({ session_id: 'beyond', since: 99 });
    expect(unnamed.hello).toMatchObject({ resync_required: true, epoch });
    await expectSnapshot(unnamed.client, 'beyond');
    const named = await enter({ session_id: 'beyond', since: 99, epoch });
    expect(named.hello.resync_required).toBe(true);
    expect(Number(named.hello.epoch)).toBeGreaterThan(Number(epoch));
    await expectSnapshot(named.client, 'beyond');
  });

  it('E4 the legacy join reports it too', async () => {
    await spoken('legacy');
    const client = await FrameClient.connect(node.wsUrl);
    client.send({ type: 'join', agent_id: 'slow', session_id: 'legacy', since: 77 });
    expect(await client.waitFor({ type: 'joined' })).toMatchObject({ resync_required: true });
    await expectSnapshot(client, 'legacy');
  });

  it('E2 a new Redis process that lost nothing is a new epoch and costs no resync', async () => {
    const client = await spoken('restarted');
    // Waits for the end of the lease: a saved one would come back although it was given up, which is a lost tail.
    const { state } = cluster.sessionKeys('restarted');
    await eventually(async () => (await redis.client().hexists(state, 'holder')) === 0);
    const old = await readSession(node, 'restarted');
    await redis.client().save();
    await redis.restart();
    await eventually(() => fetch(`${node.url}/ready`).then(({ ok }) => ok));
    const id = client.message('after');
    await client.final(id);
    expect(gaps(client.logged())).toEqual([]);
    const told = client.logged().filter(({ epoch }) => epoch !== undefined);
    expect(told).toMatchObject([{ status: 'accepted', cursor: 5 }]);
    expect(Number(told[0]?.epoch)).toBeGreaterThan(Number(old.epoch));

    const { client: again, hello } = await enter({
      session_id: 'restarted',
      since: 2,
      epoch: old.epoch,
    });
    expect(hello).toMatchObject({ resync_required: false, epoch: told[0]?.epoch, cursor: 6 });
    await again.collect(4, { type: 'replay' });
    expect(gaps(again.logged(), 2)).toEqual([]);
  });

  it('E2 E4 a Redis that lost its tail: snapshots for readers beyond it, and no event id used twice', async () => {
    const before = await spoken('cut');
    await redis.client().save();
    for (const id of ['m3', 'm4']) await before.final(before.message('lost', { message_id: id }));
    const stale = await readSession(node, 'cut');
    const behind = await cluster.attach(node, { session_id: 'cut', since: 8 });
    await redis.kill();
    await redis.start();
    await eventually(() => fetch(`${node.url}/ready`).then(({ ok }) => ok));

    const { client: early } = await enter({ session_id: 'cut', since: 3 });
    const id = early.message('after the loss', { message_id: 'm5' });
    for (const client of [before, behind]) {
      const { state } = await client.waitFor({ type: 'snapshot' });
      // It may come before the next event, with which the epoch changes: then the client stands before what was lost.
      const isAnother = Object(state).epoch !== stale.epoch;
      expect(isAnother || Object(state).event_cursor === 4).toBe(true);
      expect(Object(state).messages.map((m: Frame) => m.message_id)).not.toContain('m3');
    }
    await early.final(id);
    for (const client of [before, behind]) {
      await client.final(client.message('and on'));
    }
    const { client: late, hello } = await enter({
      session_id: 'cut',
      since: stale.event_cursor,
      epoch: stale.epoch,
    });
    expect(hello.resync_required).toBe(true);
    await late.waitFor({ type: 'snapshot' });
    expect(gaps(early.logged(), 3)).toEqual([]);

    const names = new Map<string, string>();
    for (const client of [before, behind, early]) {
      for (const [name, event] of namedEvents(client)) {
        expect(names.get(name) ?? event).toBe(event);
        names.set(name, event);
      }
    }
    expect(new Set([...names.keys()].map((name) => name.split(':')[0])).size).toBe(2);
  });

  it('E2 B1 lost events are not looked for again and again when a client comes', async () => {
    await spoken('ahead');
    await redis.client().save();
    const ahead = await cluster.attach(node, { session_id: 'ahead', since: 4 });
    for (const id of ['m3', 'm4']) await ahead.final(ahead.message('lost', { message_id: id }));
    await redis.kill();
    await redis.start();
    await eventually(() => fetch(`${node.url}/ready`).then(({ ok }) => ok));

    const { client, hello } = await enter({ session_id: 'ahead', since: 0 });
    expect(hello).toMatchObject({ cursor: 4, resync_required: false });
    await client.collect(4, { type: 'replay' });
    const logReads = async () =>
      Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.client().info('commandstats'))?.[1]);
    await eventually(async () => {
      const before = await logReads();
      await sleep(200);
      return (await logReads()) - before < 20;
    });
  });

  it('E4 trimmed while it is being read: a snapshot, and then what follows it', async () => {
    const text = 'x'.repeat(50_000);
    const own = await Cluster.open(redis, { session: { max_log_bytes: '64MiB' } });
    const reading = await own.start();
    own.agent.behave((_turn, { respond }) => {
      const writer = respond.stream('ndjson');
      for (let i = 0; i < 400; i += 1) writer.send({ type: 'tool_call', tool_call: text });
      writer.final('done');
    });
    const writer = await own.attach(reading, { session_id: 'overtaken', capabilities: [] });
    await writer.final(writer.message('go', { message_id: 'm1' }));
    own.agent.behave(httpBehaviours.delayMs(0));

    const client = await FrameClient.connect(reading.wsUrl);
    await client.hello({ agent_id: 'slow', session_id: 'overtaken', since: 0 });
    await client.waitFor({ type: 'replay' });
    // The buffers of the system hold only a part of the 20 MB.
    client.pause();
    const { events } = own.keys.session(sessionKeyId('local', 'overtaken'));
    await redis.client().xtrim(events, 'MAXLEN', 3);
    client.resume();
    const { state } = await client.waitFor({ type: 'snapshot' }, 10_000);
    await writer.final(writer.message('last', { message_id: 'm2' }));
    await client.final('m2');
    const at = client.frames.findIndex(({ type }) => type === 'snapshot');
    const replayed = client.frames.slice(0, at).flatMap((frame) => loggedFrame(frame) ?? []);
    const live = client.frames.slice(at).flatMap((frame) => loggedFrame(frame) ?? []);
    expect(replayed.length).toBeGreaterThan(10);
    expect(gaps(replayed)).toEqual([]);
    expect(gaps(live, Object(state).event_cursor)).toEqual([]);
    await own.stop();
  });
});

/** `epoch:seq` of every event that a connection saw, and what it was. */
function namedEvents({ frames }: FrameClient): [string, string][] {
  let epoch = '';
  return frames.flatMap((frame) => {
    if (frame.type === 'hello_ok') epoch = String(frame.epoch);
    if (frame.type === 'snapshot') epoch = String(Object(frame.state).epoch);
    const event = loggedFrame(frame);
    if (!event) return [];
    epoch = event.epoch ?? epoch;
    const { type, status, message_id } = event;
    return [[`${epoch}:${event.cursor}`, JSON.stringify({ type, status, message_id })]];
  });
}
