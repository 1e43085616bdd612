import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** Fields of a client that does not know cursors. */
const unaware = { since: undefined };

describe('a client that never sends since', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  let stored: ReturnType<TestRedis['client']>;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, { lease: { ttl: '1s' } });
    node = await cluster.start();
    stored = redis.client();
  });
  beforeEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));
  afterAll(() => cluster.stop());

  const open = (session_id: string, at = node) => cluster.attach(at, { session_id, ...unaware });
  const say = (client: FrameClient, content: string) => client.final(client.message(content));
  /** Cursors of all events that were replayed to a connection; complete, since a live event came after them. */
  async function replayed(client: FrameClient): Promise<unknown[]> {
    await say(client, 'and now');
    return client.frames.flatMap(({ type, seq }) => (type === 'replay' ? [seq] : []));
  }
  /** Cursors of the session's marks, of one node or of all. */
  async function marks(session_id: string, of?: GatewayProcess): Promise<number[]> {
    const { state } = cluster.keys.session(sessionKeyId('local', session_id));
    const beat = of && (await stored.hget(cluster.keys.nodes, of.nodeId));
    const by = beat ? (/"process":"([^"]+)"/.exec(beat)?.[1] ?? 'unknown') : '';
    const fields = Object.entries(await stored.hgetall(state));
    return fields.flatMap(([name, value]) =>
      name.startsWith('mark:') && value.startsWith(by) ? [Number(value.split(' ')[1])] : [],
    );
  }
  const upTo = (head: number, lowest: number) =>
    Array.from({ length: head - lowest }, (_, i) => lowest + 1 + i);

  it('E10 gets what it missed, and not what it had', async () => {
    const first = await open('missed');
    await say(first, 'one');
    first.cut();
    const tracking = await cluster.attach(node, { session_id: 'missed', since: 2 });
    await say(tracking, 'two');
    const second = await open('missed');
    await second.collect(2, { type: 'replay' });
    expect(await replayed(second)).toEqual([3, 4]);
    await say(second, 'three');
    expect(gaps(second.logged(), 2)).toEqual([]);
  });

  it('E10 marks are used up: the next one is replayed nothing', async () => {
    const first = await open('used');
    await say(first, 'one');
    first.cut();
    const tracking = await cluster.attach(node, { session_id: 'used', since: 2 });
    await say(tracking, 'two');
    const second = await open('used');
    await second.collect(2, { type: 'replay' });
    const third = await open('used');
    expect(await replayed(third)).toEqual([]);
    second.cut();
    third.cut();
    await eventually(async () => expect(await marks('used')).toEqual([6]));
    const fourth = await open('used');
    expect(await replayed(fourth)).toEqual([]);
    expect(await marks('used')).toHaveLength(1);
  });

  it('E10 of two that are gone the one that saw less decides', async () => {
    const first = await open('two');
    await say(first, 'one');
    const second = await open('two');
    first.cut();
    await say(second, 'two');
    second.cut();
    const tracking = await cluster.attach(node, { session_id: 'two', since: 4 });
    await say(tracking, 'three');
    await eventually(async () => expect(await marks('two')).toEqual([2]));
    const third = await open('two');
    await third.collect(4, { type: 'replay' });
    expect(await replayed(third)).toEqual([3, 4, 5, 6]);
  });

  it('E10 one that is still attached, and one that tracks its cursor, make nobody replay', async () => {
    const attached = await open('live');
    await say(attached, 'one');
    const tracking = await cluster.attach(node, { session_id: 'live', since: 0 });
    await say(tracking, 'two');
    await tracking.close();
    await say(attached, 'three');
    const other = await open('live');
    expect(await replayed(other)).toEqual([]);
    await say(other, 'four');
    expect(gaps(attached.logged())).toEqual([]);
    expect(await marks('live')).toHaveLength(1); // both connections are on one node
  });

  it('E10 works for join and after leave', async () => {
    const client = await FrameClient.connect(node.wsUrl);
    const join = { type: 'join', agent_id: 'slow', session_id: 'joined' };
    client.send(join);
    await client.waitFor({ type: 'joined' });
    await say(client, 'one');
    client.send({ type: 'leave' });
    await client.waitFor({ type: 'left' });
    const tracking = await cluster.attach(node, { session_id: 'joined', since: 2 });
    await say(tracking, 'two');
    client.send(join);
    await client.collect(2, { type: 'replay' });
    expect(await replayed(client)).toEqual([3, 4]);
  });

  it('E10 the connection that created the session has a mark before anything was written', async () => {
    const dying = await cluster.start();
    const creator = await open('created', dying);
    cluster.agent.behave(httpBehaviours.delayMs(100));
    creator.message('one', { message_id: 'm1' });
    await creator.waitFor({ status: 'accepted' });
    // Marks are written each second: this is nearly always before that.
    await dying.kill();
    const [mark = Number.NaN] = await marks('created');
    expect(mark).toBeLessThan(2);
    await eventually(async () => (await cluster.inbox('created')).length === 0, 8_000);
    const second = await open('created');
    await second.final('m1');
    expect((await replayed(second))[0]).toBe(mark + 1);
    expect(gaps(second.logged(), mark)).toEqual([]);
  });

  it('E10 of two connections of a killed node the lower mark decides, of a living one none', async () => {
    const dying = await cluster.start();
    const first = await open('killed', dying);
    await say(first, 'one');
    const second = await open('killed', dying);
    await say(second, 'two');
    const safe = await open('killed');
    await dying.kill();
    await safe.final(safe.message('three'), 10_000);
    const left = await marks('killed', dying);
    expect(left).toHaveLength(1);
    const third = await open('killed');
    const missed = upTo(6, Math.min(...left));
    await third.collect(missed.length, { type: 'replay' });
    expect(await replayed(third)).toEqual(missed);
    const fourth = await open('killed');
    expect(await replayed(fourth)).toEqual([]);
  });

  it('E10 L6 a node that has just started lives, one that was stopped does not', async () => {
    const young = await cluster.start();
    const first = await open('young', young);
    await say(first, 'one');
    // Before the other node can know its beat.
    const other = await open('young');
    expect(await replayed(other)).toEqual([]);
    expect(await marks('young', young)).toHaveLength(1);
    young.signal('SIGSTOP');
    try {
      const lowest = Math.min(...(await marks('young', young)));
      await say(other, 'missed');
      await eventually(async () => {
        const next = await open('young');
        const [missed] = await next.collect(1, { type: 'replay' }, 300);
        expect(missed?.seq).toBe(lowest + 1);
      }, 8_000);
    } finally {
      await young.kill();
    }
  });

  it('E10 while events flow the mark follows, so that a killed node costs little', async () => {
    const dying = await cluster.start();
    const client = await open('flowing', dying);
    await say(client, 'one');
    await say(client, 'two');
    await eventually(async () => expect(await marks('flowing')).toEqual([4]));
    await dying.kill();
    const tracking = await cluster.attach(node, { session_id: 'flowing', since: 4 });
    await tracking.final(tracking.message('three'), 10_000);
    const again = await open('flowing');
    await again.collect(2, { type: 'replay' });
    expect((await replayed(again))[0]).toBe(5);
  });

  it('E10 a node that was killed and started again under its id is another', async () => {
    const fixed = { gateway: { node_id: 'fixed' } };
    const dying = await cluster.start(fixed);
    const first = await open('fixed', dying);
    await say(first, 'one');
    await dying.kill();
    const again = await cluster.start(fixed);
    const [lowest = Number.NaN] = await marks('fixed');
    const tracking = await cluster.attach(node, { session_id: 'fixed', since: 2 });
    await tracking.final(tracking.message('missed'), 10_000);
    const second = await open('fixed', again);
    const missed = upTo(4, lowest);
    await second.collect(missed.length, { type: 'replay' });
    expect(await replayed(second)).toEqual(missed);
    // On every node its new marks count as those of a live node.
    for (const at of [again, node]) expect(await replayed(await open('fixed', at))).toEqual([]);
  });

  it('E10 a node started again under its id is another also when the old one stays subscribed', async () => {
    const fixed = { gateway: { node_id: 'half-open' } };
    const lost = await cluster.start(fixed);
    const first = await open('half-open', lost);
    await say(first, 'one');
    // As if its machine were gone: Redis sees no end of its connections, and the id beats again.
    lost.signal('SIGSTOP');
    try {
      const again = await cluster.start(fixed);
      const [lowest = Number.NaN] = await marks('half-open');
      const tracking = await cluster.attach(node, { session_id: 'half-open', since: 2 });
      await tracking.final(tracking.message('missed'), 10_000);
      const channel = cluster.keys.nodeChannelPrefix(0) + lost.nodeId;
      expect(await stored.pubsub('NUMSUB', channel)).toEqual([channel, 2]);
      await eventually(async () => {
        const next = await open('half-open', again);
        const [missed] = await next.collect(1, { type: 'replay' }, 300);
        expect(missed?.seq).toBe(lowest + 1);
      }, 8_000);
    } finally {
      await lost.kill();
    }
  });
});
