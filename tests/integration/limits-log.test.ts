import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeHistory, type Store, streamFields } from '@sluice/store';
import {
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import {
  append,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const LIMIT = 20_000;
const ref = refOf('s');

const sum = (numbers: readonly number[]) => numbers.reduce((total, it) => total + it, 0);

describe('bytes of the event log and of the history', () => {
  let redis: TestRedis;
  let client: Redis;
  let store: Store;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { limits: { maxLogBytes: LIMIT, maxMessages: 20 } });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  /** Size of each retained event, without its time and position, oldest first; and the first seq. */
  async function events() {
    const entries = await client.xrange(store.keys.session(idOf(ref)).events, '-', '+');
    const sizes = entries.map(([, fields]) => sum(fields.slice(4).map((text) => text.length)));
    return { sizes, bytes: sum(sizes), oldest: Number.parseInt(entries[0]?.[0] ?? '', 10) };
  }
  const history = async () => {
    const lines = (await store.leases.history(idOf(ref), 10 * LIMIT)).map(decodeHistory);
    return lines.map((line) => ({ ...line, content: String(line.content) }));
  };

  /** A turn that streams these deltas, one call each. */
  async function stream(turnId: string, deltas: readonly string[]) {
    const { lease } = await take(store, ref, turnId);
    for (const [i, content] of deltas.entries()) {
      const batch = [streamFields('token_stream', turnId, { content })];
      await store.leases.appendEvents(lease, { turnId, number: i + 1, batch });
    }
    return lease;
  }

  it('B1 the oldest events go when the log has too many bytes, in blocks of an eighth', async () => {
    await sessionWith(store, 's', 'm1');
    const lease = await stream('t1', []);
    let most = 0;
    let trims = 0;
    let oldest = 1;
    for (let number = 1; number <= 300; number += 1) {
      const content = 'x'.repeat((number * 37) % 900);
      const batch = [streamFields('token_stream', 'm1', { content })];
      await store.leases.appendEvents(lease, { turnId: 't1', number, batch });
      const now = await events();
      most = Math.max(most, now.bytes);
      if (now.oldest > oldest) trims += 1;
      oldest = now.oldest;
      if (trims > 0) expect(now.bytes).toBeGreaterThan(LIMIT * 0.8);
    }
    expect(most).toBeLessThanOrEqual(LIMIT);
    expect(trims).toBeGreaterThan(10);
    expect(trims).toBeLessThan(100);
    const attached = await store.sessions.attach({
      ...{ ...ref, agent: 'echo', create: false, attachId: 'a', since: 1 },
    });
    expect(attached).toMatchObject({ oldest, resync: true });
  });

  it('B1 what max_events has dropped is not counted', async () => {
    const few = await openTestStore(redis.url, {
      nodeId: 'n2',
      limits: { maxLogBytes: LIMIT, maxEvents: 10 },
    });
    await sessionWith(few, 's', 'm1');
    const { lease } = await take(few, ref, 't1');
    for (let number = 1; number <= 600; number += 1) {
      const batch = [streamFields('token_stream', 'm1', { content: `${number}`.padEnd(100) })];
      await few.leases.appendEvents(lease, { turnId: 't1', number, batch });
    }
    // Three times the limit was logged; at most max_events and an eighth are left.
    const { sizes, bytes } = await events();
    expect(sizes.length).toBeGreaterThanOrEqual(10);
    expect(bytes).toBeLessThanOrEqual(LIMIT);
  });

  it('B1 an event larger than the limit stays alone, until the next one comes', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const lease = await stream('t1', ['small', 'small']);
    await store.leases.commit(lease, commitOf('t1', { content: 'x'.repeat(2 * LIMIT) }));
    expect((await events()).sizes).toHaveLength(1);
    expect((await events()).bytes).toBeGreaterThan(2 * LIMIT);
    await append(store, ref, 'm3');
    const after = await events();
    expect(after.sizes).toHaveLength(1);
    expect(after.bytes).toBeLessThan(100);
  });

  it('B1 the history keeps the newest lines that fit, and always the newest one', async () => {
    await sessionWith(store, 's', 'm1');
    let { lease } = await take(store, ref, 't1');
    for (let i = 1; i <= 12; i += 1) {
      await append(store, ref, `m${i + 1}`);
      const content = `${i} `.padEnd(3_000, 'y');
      const reply = await store.leases.commit(lease, {
        ...commitOf(`t${i}`, { content }),
        nextTurnId: `t${i + 1}`,
      });
      expect(reply.kind).toBe('next');
    }
    const lines = await history();
    expect(lines.filter(({ role }) => role === 'assistant')).toHaveLength(6);
    expect(lines.at(-1)?.content).toMatch(/^12 y/);
    const state = await client.hget(store.keys.session(idOf(ref)).state, 'history_bytes');
    const replies = sum(lines.map(({ role, content }) => (role === 'user' ? 0 : content.length)));
    expect(Number(state)).toBeGreaterThan(replies);
    expect(Number(state)).toBeLessThanOrEqual(LIMIT);

    const content = 'z'.repeat(2 * LIMIT);
    await store.leases.commit(lease, commitOf('t13', { content, fetch: false }));
    expect(await history()).toMatchObject([{ role: 'assistant', content }]);
    await append(store, ref, 'm14');
    await store.leases.release(lease, 'yield');
    ({ lease } = await take(store, ref, 't14'));
    await store.leases.commit(lease, commitOf('t14'));
    expect(await history()).toMatchObject([
      { role: 'user', message_id: 'm14' },
      { role: 'assistant', message_id: 'm14' },
    ]);
  });
});

describe('a gateway with few bytes for the log', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start({ session: { max_log_bytes: LIMIT } });
  });
  afterAll(() => cluster.stop());

  it('B1 E4 delivers a reply that is larger than all of it, and a snapshot to a client that comes later', async () => {
    const text = 'r'.repeat(3 * LIMIT);
    cluster.agent.behave(httpBehaviours.delayMs(0, () => text));
    const live = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2', 'm3']) {
      live.message('x', { message_id });
      expect((await live.final(message_id)).content).toBe(text);
    }
    expect(gaps(live.logged())).toEqual([]);
    // The agent gets the history that is kept, from a holder that remembers it as from one that reads it.
    const told = cluster.agent.turns.map(({ turn }) => turn.history.length);
    expect(told).toEqual([0, 1, 1]);

    const late = await cluster.attach(node, { session_id: 's', since: 1 });
    const snapshot = await late.waitFor({ type: 'snapshot' });
    expect(snapshot.state).toMatchObject({ event_cursor: live.logged().length });
    expect((await readSession(node, 's')).messages).toHaveLength(1);
    late.message('x', { message_id: 'm4' });
    expect((await late.final('m4')).content).toBe(text);
  });
});
