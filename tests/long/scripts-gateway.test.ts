import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { sessionKeyId } from '@sluice/store';
import {
  type Behaviour,
  eventually,
  type FrameClient,
  type FrameMatch,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  matchScript,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
  toPredicate,
} from '@sluice/testkit';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';
import { EventStream } from '../support/cluster/event-stream.js';

/** Sessions that have expired and are still in the listings. */
const GONE = 20;

/** Streams for longer than the time between renewals; m4 hangs, m5 dies. */
const agentBehaviour: Behaviour = (turn, context) => {
  if (turn.message_id === 'm4') return httpBehaviours.hang()(turn, context);
  if (turn.message_id === 'm5') return context.respond.status(503);
  const deltas = Array.from({ length: 6 }, (_, i) => `${turn.message_id} ${i} `);
  return httpBehaviours.stream({ format: 'sse', deltas, everyMs: 50 })(turn, context);
};

describe('scripts below a running gateway', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      redis: { url: proxy.url },
      // Long enough that several lost replies cost no lease: then a turn would rightly be tried again.
      // An idle one is renewed before it is given up.
      lease: { ttl: '4s', linger: '1500ms' },
      session: {
        resume_window: '3s',
        max_sessions_per_principal: GONE,
        max_bytes_per_principal: '4MiB',
      },
      // Each session with more than one message gives its lease up for others.
      worker: {
        ...{ sweep_interval: '200ms', max_turns_per_principal: 100 },
        ...{ concurrency: 3, max_turns_per_lease: 1 },
      },
      slow: { retry: { for: '500ms' } },
      // A portion is one token, so that each message draws.
      gateway: {
        close_spread: '200ms',
        rate_limit: { messages_per_second: 1_000, burst: 10, sessions_per_minute: 6_000 },
      },
    });
    cluster.agent.behave(agentBehaviour);
    node = await cluster.start();
  });
  afterEach(() => cluster.stop());

  const keysOf = (session_id: string) => cluster.keys.session(sessionKeyId('local', session_id));
  const turnsOf = (session_id: string) =>
    cluster.agent.turns.flatMap(({ turn }) =>
      turn.session_id === session_id ? [[turn.message_id, turn.attempt]] : [],
    );

  /** Sends until the answer is no error, like a client that is asked to try again. */
  const repeatWhileAway = (client: FrameClient, frame: Record<string, unknown>, done: FrameMatch) =>
    eventually(async () => {
      const isDone = toPredicate(done);
      client.send(frame);
      const answer = await client.next((f) => f.type === 'error' || isDone(f), 2_000);
      if (answer.type === 'error') throw new Error(JSON.stringify(answer));
    }, 10_000);
  const deliver = (client: FrameClient, message_id: string) => {
    const message = { content: `text ${message_id}`, message_id };
    return repeatWhileAway(client, message, { status: 'accepted', message_id });
  };
  const attach = (hello: Record<string, unknown>) =>
    eventually(() => cluster.attach(node, hello), 5_000);
  const request = (method: string, path: string, body?: string) =>
    eventually(async () => {
      const { status } = await fetch(`${node.url}/v1/${path}`, { method, ...(body && { body }) });
      return status === 503 ? false : status;
    });

  /** A socket that comes back gets a short log with the answer to its `hello`. */
  const readLog = (session_id: string) =>
    eventually(async () => {
      const stream = await EventStream.open(`${node.url}/v1/sessions/${session_id}/events`);
      await eventually(() => stream.events.length > 0, 1_000).finally(stream.close);
      return true;
    }, 10_000);

  /** A session from its beginning to its end, with everything that calls a script. */
  async function live(session_id: string): Promise<void> {
    // As many sessions have expired as there may be: only a count of live ones lets this one in.
    const { owned } = keysOf(session_id);
    const gone = Array.from({ length: GONE }, (_, i) => sessionKeyId('local', `gone-${i}`));
    for (const id of gone) await redis.client().zadd(owned, Date.now(), id);
    const client = await attach({ session_id });
    await deliver(client, 'm1');
    await deliver(client, 'm1');
    await deliver(client, 'm2');
    await deliver(client, 'm3');
    await repeatWhileAway(client, { type: 'cancel', message_id: 'm3' }, { type: 'cancelled' });
    await client.final('m2');
    expect(await request('GET', `sessions/${session_id}`)).toBe(200);
    const metadata = '{"metadata":{"title":"a life"}}';
    expect(await request('PATCH', `sessions/${session_id}`, metadata)).toBe(200);
    expect(await request('GET', 'sessions')).toBe(200);
    await readLog(session_id);
    for (const what of [`sessions/${session_id}`, 'agents/slow']) {
      for (const verb of ['pause', 'resume']) {
        expect(await request('POST', `${what}/${verb}`)).toBe(200);
      }
    }
    // A Redlock that nobody holds any more: the ring is delayed and comes again.
    await eventually(async () => (await redis.client().exists(keysOf(session_id).lease)) === 0);
    await redis.client().set(keysOf(session_id).lease, 'left behind', 'PX', 300);
    await deliver(client, 'm4');
    await eventually(() => turnsOf(session_id).length === 3, 10_000);
    await repeatWhileAway(client, { type: 'abort' }, { type: 'aborted' });
    await client.final('m4');
    await deliver(client, 'm5');
    await client.final('m5', 20_000);
    const letter = `dead-letters/${sessionKeyId('local', session_id)}~m5`;
    // 404: it was done before, but that answer said that Redis is away.
    const isRetried = session_id.charCodeAt(0) % 2 === 0;
    if (isRetried) {
      expect([202, 404]).toContain(await request('POST', `${letter}/retry`));
      await client.final('m5.retry.1');
    } else expect([200, 404]).toContain(await request('DELETE', letter));
    const unaware = await attach({ session_id, since: undefined });
    await unaware.close();
    await expectWhole(session_id, client, isRetried ? ['m5.retry.1'] : []);
    expect(await request('DELETE', `sessions/${session_id}`)).toBe(200);
    await client.close();
  }

  async function expectWhole(
    session_id: string,
    client: FrameClient,
    retried: readonly string[],
  ): Promise<void> {
    const after = await attach({ session_id });
    await after.final(retried[0] ?? 'm5');
    const logged = after.logged();
    expect(gaps(logged)).toEqual([]);
    expect(client.logged().map(({ cursor }) => cursor)).toEqual(logged.map(({ cursor }) => cursor));
    const outcomes = logged.flatMap(({ status, message_id, outcome }) =>
      status === 'final' ? [[message_id, Object(outcome).status]] : [],
    );
    expect(outcomes.sort()).toEqual([
      ['m1', 'ok'],
      ['m2', 'ok'],
      ['m3', 'cancelled'],
      ['m4', 'aborted'],
      ['m5', 'dead_lettered'],
      ...retried.map((id) => [id, 'ok']),
    ]);
    const ids = ['m1', 'm2', 'm3', 'm4', 'm5', ...retried];
    const accepted = logged.filter(({ status }) => status === 'accepted');
    expect(accepted.map(({ message_id }) => message_id)).toEqual(ids);
    const failed = turnsOf(session_id).filter(([id]) => id === 'm5').length;
    expect(failed).toBeGreaterThan(1);
    expect(turnsOf(session_id)).toEqual([
      ['m1', 1],
      ['m2', 1],
      ['m4', 1],
      ...Array.from({ length: failed }, (_, at) => ['m5', at + 1]),
      ...retried.map((id) => [id, 1]),
    ]);
    for (const message_id of ['m1', 'm2', ...retried]) {
      const text = logged.flatMap(({ type, data }) =>
        type === 'token_stream' && Object(data).message_id === message_id
          ? [Object(data).content]
          : [],
      );
      expect(text.join('')).toBe((await after.final(message_id)).content);
    }
    await after.close();
  }

  /** Ends that were copied, perhaps more than once (one per event_id), or that wait to be copied. */
  async function endsRecorded(): Promise<Set<unknown>> {
    const lists = await redis.client().keys(`${cluster.prefix}:{p*}:ends`);
    const waiting = await Promise.all(lists.map((key) => redis.client().lrange(key, 0, -1)));
    const records: unknown[] = waiting.flat().map((record) => JSON.parse(record));
    const ends = [...records, ...(await cluster.sessionEnds())];
    return new Set(ends.map((end) => Object(end).event_id));
  }

  it('C2 S2 S3 a reply of every script is lost while sessions live: nothing doubled, nothing lost', async () => {
    let over = false;
    let lived = 0;
    const loops = ['a', 'b', 'c', 'd', 'e', 'f'].map(async (name) => {
      for (let round = 1; !over; round += 1) {
        await live(`${name}-${round}`);
        lived += 1;
      }
    });
    const scraping = (async () => {
      for (; !over; await sleep(1_000)) await fetch(`${node.url}/metrics`);
    })();
    const all = Object.values(scripts).filter(({ name }) => name !== 'node-drain');
    const tour = (async () => {
      for (const { name, source } of all) {
        const cut = proxy.cutReply(matchScript(source));
        const isCut = () => {
          if (cut.hits === 0) throw new Error(`${name} was not called`);
        };
        await eventually(isCut, 10_000);
      }
    })().finally(() => {
      over = true;
    });
    await Promise.all([tour, scraping, ...loops]);
    expect((await endsRecorded()).size).toBe(lived);

    const last = proxy.cutReply(matchScript(scripts.nodeDrain.source));
    node.signal('SIGTERM');
    expect(await node.exited).toMatchObject({ code: 0 });
    expect(last.hits).toBe(1);
  }, 60_000);
});
