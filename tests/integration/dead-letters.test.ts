import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
} from '@sluice/testkit';
import { letterDrop, letterRetry } from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';

const alice = 'alice-0123456789abcdef';
const bob = 'bob-0123456789abcdef00';
const ops = 'ops-0123456789abcdef00';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: bob, principal: 'bob', scopes: ['read', 'write'] },
  { token: ops, principal: 'ops', scopes: ['admin'] },
];

type Letter = { readonly id: string; readonly [field: string]: unknown };
type Answer = {
  readonly status: number;
  readonly code?: unknown;
  readonly body: Record<string, unknown>;
};

describe('dead letters over HTTP', () => {
  let cluster: Cluster;
  let proxy: TcpProxy;
  let node: GatewayProcess;
  let serial = 0;

  beforeAll(async () => {
    const redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, {
      gateway: { auth: { tokens } },
      slow: { retry: { for: '0s' } },
      lease: { linger: '1s' },
    });
    node = await cluster.start({ redis: { url: proxy.url } });
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    for (const { id } of await list()) await ask('DELETE', `/${id}`);
  });

  async function ask(method: string, path: string, token = ops): Promise<Answer> {
    const url = `${node.url}/v1/dead-letters${path}`;
    const response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.status, code: Object(body.error).code, body };
  }
  async function list(query = ''): Promise<Letter[]> {
    const { body } = await ask('GET', `?limit=100${query}`);
    return body.dead_letters as Letter[];
  }
  /** A message of a new session dies; its client stays attached. */
  async function die(content: unknown = 'poison', token = alice) {
    const sessionId = `s-${++serial}`;
    const client = await cluster.attach(node, { session_id: sessionId }, { token });
    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    const messageId = client.message(content, { message_id: 'm1', metadata: { n: 1 } });
    expect(await client.final(messageId)).toMatchObject({ outcome: { status: 'dead_lettered' } });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const letters = await list();
    const letter = letters.find(({ session_id }) => session_id === sessionId);
    if (!letter) throw new Error(`no letter of ${sessionId} in ${JSON.stringify(letters)}`);
    return { client, sessionId, letter };
  }
  const finalsOf = (client: FrameClient) =>
    client
      .logged()
      .flatMap(({ status, message_id, outcome }) =>
        status === 'final' ? [[message_id, Object(outcome).status]] : [],
      );

  it('T4 a letter says whose it is, why and when, and what was in it', async () => {
    const before = Date.now() / 1_000;
    const { letter, sessionId } = await die({ text: 'poison' });
    expect(letter).toEqual({
      id: expect.stringMatching(new RegExp(`^[\\w-]{12}\\.${sessionId}~m1$`)),
      principal: 'alice',
      session_id: sessionId,
      agent_id: 'slow',
      message_id: 'm1',
      reason: 'the agent answered with status 503',
      attempts: 1,
      timestamp: expect.any(Number),
      accepted_at: expect.any(Number),
      content: { text: 'poison' },
      metadata: { n: 1 },
    });
    expect(Number(letter.timestamp)).toBeGreaterThan(before - 2);
    expect(Number(letter.timestamp)).toBeLessThan(Date.now() / 1_000 + 2);
    expect(Number(letter.accepted_at)).toBeLessThanOrEqual(Number(letter.timestamp));
  });

  it('T4 letters come newest first in pages, of all or of one principal', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift((await die('x', n % 2 ? bob : alice)).letter.id);
    const seen: string[][] = [];
    for (let query = '?limit=2'; ; ) {
      const { body } = await ask('GET', query);
      seen.push((body.dead_letters as Letter[]).map(({ id }) => id));
      if (body.next === null) break;
      query = `?limit=2&after=${String(body.next)}`;
    }
    expect(seen).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    const his = (await list('&principal=bob')).map(({ id }) => id);
    expect(his).toEqual(ids.filter((_, at) => at % 2 === 1));
    expect(await list('&principal=nobody')).toEqual([]);
    for (const query of ['?after=x', '?limit=0', '?limit=101', '?limit=x']) {
      expect([query, await ask('GET', query)]).toMatchObject([
        query,
        { status: 400, code: 'invalid_frame' },
      ]);
    }
  });

  it('T4 S2 a retried letter runs as a new message after the others, and its client gets the reply', async () => {
    const { client, letter, sessionId } = await die();
    await client.final(client.message('after', { message_id: 'm2' }));
    const retried = await ask('POST', `/${letter.id}/retry`);
    expect(retried).toMatchObject({
      status: 202,
      body: {
        type: 'response',
        status: 'accepted',
        session_id: sessionId,
        message_id: 'm1.retry.1',
        position: 0,
        durability: 'memory',
      },
    });
    expect(await client.final('m1.retry.1')).toMatchObject({ content: 'echo: poison', attempt: 1 });
    expect(finalsOf(client)).toEqual([
      ['m1', 'dead_lettered'],
      ['m2', 'ok'],
      ['m1.retry.1', 'ok'],
    ]);
    expect(gaps(client.logged())).toEqual([]);
    const turn = cluster.agent.turns.at(-1)?.turn;
    expect(turn).toMatchObject({ message_id: 'm1.retry.1', metadata: { n: 1 } });
    expect(await list()).toEqual([]);
    expect(await ask('POST', `/${letter.id}/retry`)).toMatchObject({
      status: 404,
      code: 'not_found',
    });
  });

  it('T4 T7 a retry rings for a session that no node holds any more', async () => {
    const { client, letter, sessionId } = await die();
    await client.close();
    const { state } = cluster.keys.session(letter.id.slice(0, letter.id.indexOf('~')));
    const redis = cluster.redis.client();
    await eventually(async () => (await redis.hexists(state, 'holder')) === 0);
    expect(await ask('POST', `/${letter.id}/retry`)).toMatchObject({ status: 202 });
    const after = await cluster.attach(node, { session_id: sessionId }, { token: alice });
    expect(await after.final('m1.retry.1')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T4 a message that dies again is a letter again, and its retries are counted on', async () => {
    const { client, letter } = await die();
    cluster.agent.behave(httpBehaviours.fail({ status: 503, times: 1 }));
    await ask('POST', `/${letter.id}/retry`);
    await client.final('m1.retry.1');
    const [again] = await list();
    expect(again).toMatchObject({ message_id: 'm1.retry.1', content: 'poison' });
    await ask('POST', `/${again?.id}/retry`);
    expect(await client.final('m1.retry.2')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T4 all letters of an agent are retried, the oldest first, in pages', async () => {
    const dead = [await die(), await die('x', bob), await die()];
    const ended = await die();
    await fetch(`${node.url}/v1/sessions/${ended.sessionId}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${alice}` },
    });
    expect((await ask('POST', '/retry?agent=another&limit=100')).body).toMatchObject({
      ...{ retried: 0, kept: 0, next: null },
    });
    const from = cluster.agent.turns.length;
    const pages: unknown[] = [];
    for (let after = ''; ; ) {
      const { body } = await ask('POST', `/retry?agent=slow&limit=2${after}`);
      pages.push([body.retried, body.kept]);
      if (body.next === null) break;
      after = `&after=${String(body.next)}`;
    }
    expect(pages).toEqual([
      [2, 0],
      [1, 1],
    ]);
    for (const { client } of dead) {
      expect(await client.final('m1.retry.1')).toMatchObject({ outcome: { status: 'ok' } });
    }
    const order = cluster.agent.turns.slice(from).map(({ turn }) => turn.session_id);
    expect(order).toEqual(dead.map(({ sessionId }) => sessionId));
    expect(await list()).toEqual([ended.letter]);
  });

  it('T4 a letter of a session that was ended stays, and says why it cannot be retried', async () => {
    const { letter, sessionId } = await die();
    const headers = { authorization: `Bearer ${alice}` };
    const ended = await fetch(`${node.url}/v1/sessions/${sessionId}`, {
      method: 'DELETE',
      headers,
    });
    expect(ended.status).toBe(200);
    expect(await ask('POST', `/${letter.id}/retry`)).toMatchObject({
      status: 404,
      code: 'session_not_found',
    });
    expect(await list()).toEqual([letter]);
  });

  it('T4 a deleted letter is gone, and the session does not notice', async () => {
    const { client, letter } = await die();
    const seen = client.logged().length;
    expect(await ask('DELETE', `/${letter.id}`)).toMatchObject({
      status: 200,
      body: { type: 'dead_letter_deleted', id: letter.id },
    });
    expect(await list()).toEqual([]);
    for (const [method, path] of [
      ['DELETE', `/${letter.id}`],
      ['POST', `/${letter.id}/retry`],
    ] as const) {
      expect(await ask(method, path)).toMatchObject({ status: 404, code: 'not_found' });
    }
    await client.final(client.message('next'));
    expect(client.logged()).toHaveLength(seen + 2);
  });

  it('T4 C2 a retry whose reply was lost appends once, a deletion is not taken for an error', async () => {
    const { client, letter } = await die();
    const cuts = proxy.cutReply(([, sha]) => sha === letterRetry.sha, 2);
    expect(await ask('POST', `/${letter.id}/retry`)).toMatchObject({
      status: 202,
      body: { message_id: 'm1.retry.1' },
    });
    expect(cuts.hits).toBe(2);
    await client.final('m1.retry.1');
    await client.final(client.message('last', { message_id: 'm2' }));
    expect(finalsOf(client).map(([id]) => id)).toEqual(['m1', 'm1.retry.1', 'm2']);

    const other = await die();
    const dropCuts = proxy.cutReply(([, sha]) => sha === letterDrop.sha, 2);
    expect(await ask('DELETE', `/${other.letter.id}`)).toMatchObject({ status: 200 });
    expect(dropCuts.hits).toBe(2);
  });

  it('X2 nobody without scope admin reaches a letter, and ?principal= must name its owner', async () => {
    const { letter } = await die();
    for (const [method, path] of [
      ['GET', ''],
      ['POST', `/${letter.id}/retry`],
      ['POST', '/retry?agent=slow'],
      ['DELETE', `/${letter.id}`],
      ['DELETE', '/nothing'],
    ] as const) {
      expect(await ask(method, path, alice)).toMatchObject({
        status: 403,
        code: 'insufficient_scope',
      });
    }
    expect(await ask('POST', `/${letter.id}/retry?principal=bob`)).toMatchObject({ status: 404 });
    expect(await ask('DELETE', `/${letter.id}?principal=bob`)).toMatchObject({ status: 404 });
    expect(await ask('DELETE', `/${letter.id}?principal=alice`)).toMatchObject({ status: 200 });
  });

  it('X6 the log has each act and who did it, and no content', async () => {
    const secret = 'the-content-of-a-message';
    const { letter } = await die(secret);
    await list('&principal=alice');
    await ask('POST', `/${letter.id}/retry`);
    await ask('DELETE', `/${letter.id}`);
    const target = letter.id;
    const acts = () => node.logs.filter(({ msg }) => msg === 'admin act');
    await eventually(() =>
      acts().some((line) => line.target === target && line.outcome === 'not_found'),
    );
    const level = 'info';
    const principal = 'ops';
    expect(acts().slice(-3)).toMatchObject([
      { level, principal, action: 'dead_letters_list', target: 'alice' },
      { level, principal, action: 'dead_letter_retry', target, outcome: 'accepted' },
      { level, principal, action: 'dead_letter_delete', target, outcome: 'not_found' },
    ]);
    expect(JSON.stringify(node.logs)).not.toContain(secret);
  });

  it('C3 Redis away is an error to try again', async () => {
    const { letter } = await die();
    proxy.blackhole(true);
    try {
      expect(await ask('GET', '')).toMatchObject({ status: 503, code: 'unavailable' });
      expect(await ask('POST', `/${letter.id}/retry`)).toMatchObject({ status: 503 });
    } finally {
      proxy.blackhole(false);
    }
    await eventually(async () => (await ask('GET', '')).status === 200, 10_000);
  });
});
