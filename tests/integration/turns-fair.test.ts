import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { RING_QUEUE, sessionKeyId } from '@sluice/store';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { ringsOf, waitingRing } from '../support/cluster/rings.js';

const MAX_TURNS = 3;

describe('sessions that want the same slots', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  /** By message: lets its turn end, which is held back. */
  let held: Map<string, () => void>;

  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    // The sweep rings only for sessions that waited for 2 s: none here may need it.
    cluster = await Cluster.open(redis, {
      worker: { concurrency: 1, max_turns_per_lease: MAX_TURNS },
      lease: { linger: '60s' },
    });
    held = new Map();
  });
  afterEach(() => cluster.stop());

  const order = () =>
    cluster.agent.turns.map(({ turn }) => `${turn.session_id} ${turn.message_id}`);
  const started = (entry: string) => eventually(() => order().includes(entry), 10_000);
  /** Turns of messages whose content is `hold` wait until they are let go; the others take `ms`. */
  function holdBack(ms: number) {
    const other = httpBehaviours.delayMs(ms);
    cluster.agent.behave(async (turn, context) => {
      if (turn.content !== 'hold') return other(turn, context);
      await new Promise<void>((resolve) => held.set(turn.message_id, resolve));
      context.respond.json({ content: 'held back' });
    });
  }
  async function send(node: GatewayProcess, sessionId: string, ...contents: string[]) {
    const client = await cluster.attach(node, { session_id: sessionId });
    await sendMore(client, ...contents);
    return client;
  }
  async function sendMore(client: FrameClient, ...contents: string[]) {
    const ids = contents.map((content, n) =>
      client.message(content, { message_id: `${content}-${n}` }),
    );
    await Promise.all(ids.map((id) => client.waitFor({ status: 'accepted', message_id: id })));
  }

  it('T8 T1 a long inbox goes to the back after max_turns_per_lease turns, in its order', async () => {
    holdBack(20);
    const node = await cluster.start();
    const contents = ['hold', ...Array.from({ length: 11 }, () => 'x')];
    const long = await send(node, 'long', ...contents);
    await started('long hold-0');
    for (const name of ['a', 'b', 'c']) await send(node, name, 'x', 'x');
    held.get('hold-0')?.();
    await long.final('x-11', 20_000);
    await started('c x-1');

    const ran = order();
    const ofLong = ran.filter((entry) => entry.startsWith('long'));
    expect(ofLong).toEqual(contents.map((content, n) => `long ${content}-${n}`));
    // The sessions that waited when it began run after its first turns, in the order of their rings.
    expect(ran.slice(0, MAX_TURNS + 6)).toEqual([
      ...ofLong.slice(0, MAX_TURNS),
      ...['a x-0', 'a x-1', 'b x-0', 'b x-1', 'c x-0', 'c x-1'],
    ]);
  });

  it('T8 sessions with long inboxes take turns at the slot', async () => {
    holdBack(5);
    const node = await cluster.start();
    const long = await send(node, 'a', 'hold', ...Array.from({ length: 8 }, () => 'x'));
    await started('a hold-0');
    const others = [];
    for (const name of ['b', 'c']) others.push(await send(node, name, ...Array(9).fill('x')));
    held.get('hold-0')?.();
    for (const client of [long, ...others]) await client.final('x-8', 20_000);
    const runs = order()
      .map((entry) => entry.slice(0, 1))
      .join('');
    expect(runs).toBe('aaabbbcccaaabbbcccaaabbbccc');
  });

  it('T8 goes on without a pause when nobody else wants the slot', async () => {
    const free = await cluster.start({ worker: { concurrency: 2 } });
    holdBack(0);
    const long = await send(free, 'long', ...Array.from({ length: 10 }, () => 'x'));
    await long.final('x-9');
    const fences = new Set(cluster.agent.turns.map(({ turn }) => turn.fence));
    expect(fences.size).toBe(1);
  });

  it('T8 a conversation that never pauses lets a waiting session in', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(60));
    const node = await cluster.start();
    const chat = await cluster.attach(node, { session_id: 'chat' });
    let over = false;
    const talking = (async () => {
      for (let n = 0; !over; n++) await chat.final(chat.message('x', { message_id: `m${n}` }));
    })();
    await eventually(() => order().length > 3);
    const from = order().length;
    await send(node, 'waits', 'x');
    await started('waits x-0');
    const before = order().indexOf('waits x-0') - from;
    over = true;
    await talking;
    // The turn that ran when it came, and the one that its acknowledgement may have met.
    expect(before).toBeLessThanOrEqual(3);
  });

  /** `woken` has run a turn and lingers; `other` holds the only slot of the node. */
  async function wokenBesideOther(node: GatewayProcess): Promise<[FrameClient, FrameClient]> {
    holdBack(0);
    const woken = await send(node, 'woken', 'x');
    await woken.final('x-0');
    const other = await send(node, 'other', 'hold');
    await started('other hold-0');
    return [woken, other];
  }
  const fences = () => cluster.agent.turns.map(({ turn }) => [turn.message_id, turn.fence]);

  it('T8 a woken session that finds no slot waits in line with its lease while no other node has one', async () => {
    const [woken, other] = await wokenBesideOther(await cluster.start());
    const fence = cluster.agent.turns[0]?.turn.fence;
    woken.message('soon', { message_id: 'soon' });
    await woken.waitFor({ status: 'accepted', message_id: 'soon' });
    await sleep(1_500); // several looks, and beats
    held.get('hold-0')?.();
    await woken.final('soon');
    expect(fences().at(-1)).toEqual(['soon', fence]);

    // Not for ever: a session that waits must become visible in the list of rings.
    other.message('hold', { message_id: 'hold-1' });
    await started('other hold-1');
    woken.message('late', { message_id: 'late' });
    const { state } = cluster.sessionKeys('woken');
    const isRung = async () => (await redis.client().hget(state, 'ring_mark')) !== null;
    await eventually(isRung, 10_000);
    held.get('hold-1')?.();
    await woken.final('late');
    const { fence: later, attempt } = cluster.agent.turns.at(-1)?.turn ?? {};
    expect([Number(later) > Number(fence), attempt]).toEqual([true, 1]);
  }, 30_000);

  it('T8 a woken session that finds no slot goes to a node that has one', async () => {
    const [woken] = await wokenBesideOther(await cluster.start());
    woken.message('soon', { message_id: 'soon' });
    await woken.waitFor({ status: 'accepted', message_id: 'soon' });
    await cluster.start();
    expect(await woken.final('soon', 4_000)).toMatchObject({ outcome: { status: 'ok' } });
    const { attempt } = cluster.agent.turns.at(-1)?.turn ?? {};
    expect(attempt).toBe(1);
    held.get('hold-0')?.();
  });

  it('T8 a ring stands in line by when it was rung, before those who were woken since', async () => {
    holdBack(0);
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    await send(edge, 'rung', 'x');
    const rings = ringsOf(redis, cluster);
    const ring = await waitingRing(rings);
    await ring.remove();
    const node = await cluster.start({ worker: { sweep_interval: '60s' } });
    const woken = await send(node, 'woken', 'x');
    await woken.final('x-0');
    const other = await send(node, 'other', 'x');
    await other.final('x-0');
    other.message('hold', { message_id: 'hold' });
    await started('other hold');
    woken.message('y', { message_id: 'y' });
    await woken.waitFor({ status: 'accepted', message_id: 'y' });
    await rings.add(RING_QUEUE, ring.data, { timestamp: Date.now() - 5_000 });
    await eventually(async () => (await rings.getJobCounts('active')).active === 1);
    await sleep(50);
    held.get('hold')?.();
    await woken.final('y');
    expect(order().slice(-2)).toEqual(['rung x-0', 'woken y']);
  });

  it('T6 a message that is stopped while it waits in line asks no agent', async () => {
    holdBack(0);
    const node = await cluster.start();
    const woken = await send(node, 'stopped', 'x');
    await woken.final('x-0');
    await send(node, 'other', 'hold');
    await started('other hold-0');
    const before = order().length;
    woken.message('y', { message_id: 'y' });
    await woken.waitFor({ status: 'accepted', message_id: 'y' });
    woken.send({ type: 'abort', message_id: 'y' });
    await woken.waitFor({ type: 'aborted' });
    await sleep(50);
    held.get('hold-0')?.();
    expect(await woken.final('y')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(order()).toHaveLength(before);
  });

  it('T8 T7 a ring that met only woken sessions gets the first slot that is free', async () => {
    holdBack(0);
    const node = await cluster.start({ worker: { concurrency: 2 } });
    const woken = await send(node, 'woken', 'x');
    await woken.final('x-0');
    await send(node, 'long', 'hold');
    await started('long hold-0');
    woken.message('hold', { message_id: 'wake' });
    await started('woken wake');
    const waits = await send(node, 'waits', 'x');
    // Its ring has been in line and round again, more than once.
    const { state } = cluster.keys.session(sessionKeyId('local', 'waits'));
    const rings = () => redis.client().hget(state, 'ring');
    await eventually(async () => Number(await rings()) > 2);
    expect(order()).not.toContain('waits x-0');
    held.get('wake')?.();
    await waits.final('x-0', 2_000);
    held.get('hold-0')?.();
  });
});
