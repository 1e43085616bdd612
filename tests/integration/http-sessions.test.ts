import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const alice = 'alice-0123456789abcdef';
const bob = 'bob-0123456789abcdef00';
const reader = 'reader-0123456789abcd';
const ops = 'ops-0123456789abcdef00';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: bob, principal: 'bob', scopes: ['read', 'write'] },
  { token: reader, principal: 'alice', scopes: ['read'] },
  { token: ops, principal: 'ops', scopes: ['admin'] },
];

type Listed = { readonly session_id: string; readonly [field: string]: unknown };
type Answer = { readonly status: number; readonly body: Record<string, unknown> };

describe('sessions over HTTP', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  let other: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, {
      gateway: { auth: { tokens }, rate_limit: { requests_per_second: 0 } },
      agents: { echo: { kind: 'echo' } },
    });
    // Sessions are idle soon, so that their expiry is set and can be read.
    const settings = { session: { max_log_bytes: '32MiB' }, lease: { linger: '50ms' } };
    node = await cluster.start(settings);
    other = await cluster.start(settings);
  });
  afterAll(() => cluster.stop());

  async function ask(
    method: string,
    path: string,
    {
      token = alice,
      body,
      at = node,
    }: { token?: string; body?: unknown; at?: GatewayProcess } = {},
  ): Promise<Answer> {
    const response = await fetch(`${at.url}/v1/sessions${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: Object(await response.json()) };
  }
  async function list(query = '', token = alice): Promise<string[]> {
    const { body } = await ask('GET', `?limit=100${query}`, { token });
    return (body.sessions as Listed[]).map(({ session_id }) => session_id);
  }
  const attach = (session_id: string, fields: object = {}, token = alice) =>
    cluster.attach(node, { session_id, ...fields }, { token });
  const patch = (id: string, metadata: unknown, options: object = {}) =>
    ask('PATCH', `/${id}`, { body: { metadata }, ...options });

  describe('metadata', () => {
    it('C4 come with the hello that starts a session, and are changed by PATCH', async () => {
      const metadata = { title: 'a talk', tags: ['x'], nested: { a: 1, b: 2 }, empty: [] };
      await attach('titled', { metadata });
      await attach('titled', { metadata: { title: 'not this' } });
      expect((await ask('GET', '/titled')).body.metadata).toEqual(metadata);
      const change = { title: null, nested: { a: null, c: 123456789012345 }, more: {} };
      const expected = { tags: ['x'], nested: { b: 2, c: 123456789012345 }, empty: [], more: {} };
      expect(await patch('titled', change, { at: other })).toEqual({
        status: 200,
        body: { session_id: 'titled', metadata: expected },
      });
      expect((await ask('GET', '/titled')).body.metadata).toEqual(expected);
    });

    it('C2 changes that come together are all kept', async () => {
      await attach('together');
      const names = Array.from({ length: 12 }, (_, n) => `field${n}`);
      const patched = await Promise.all(
        names.map((name, n) => patch('together', { [name]: n }, { at: n % 2 ? node : other })),
      );
      expect(patched.map(({ status }) => status)).toEqual(names.map(() => 200));
      const { metadata } = (await ask('GET', '/together')).body;
      expect(metadata).toEqual(Object.fromEntries(names.map((name, n) => [name, n])));
    });

    it('C4 a change does not move the end of an idle session', async () => {
      const client = await attach('idle');
      client.message('hello', { message_id: 'm1' });
      await client.final('m1');
      await client.close();
      const { state } = cluster.sessionKeys('idle', 'alice');
      const holderOf = () => redis.client().hget(state, 'holder');
      await eventually(async () => (await holderOf()) === null);
      const before = await redis.client().pexpiretime(state);
      expect(before).toBeGreaterThan(0);
      expect((await patch('idle', { title: 'x' })).status).toBe(200);
      expect(await redis.client().pexpiretime(state)).toBe(before);
    });

    it('B1 have a limit, also when they grow step by step', async () => {
      await attach('grows');
      const part = 'x'.repeat(6 * 1_024);
      expect((await patch('grows', { a: part })).status).toBe(200);
      expect((await patch('grows', { b: part })).status).toBe(200);
      expect(await patch('grows', { c: part })).toMatchObject({
        status: 413,
        body: { error: { code: 'payload_too_large', retryable: false } },
      });
      expect(Object.keys(Object((await ask('GET', '/grows')).body.metadata))).toEqual(['a', 'b']);
      expect((await patch('grows', { a: null })).status).toBe(200);
      const client = await attach('fits');
      const metadata = { a: part, b: part, c: part };
      client.send({ type: 'hello', agent_id: 'slow', session_id: 'too-much', metadata });
      expect(await client.next({ type: 'error' })).toMatchObject({
        code: 'payload_too_large',
        field: 'metadata',
      });
      expect((await ask('GET', '/too-much')).status).toBe(404);
    });

    it.each([
      ['a list', { metadata: [] }],
      ['nothing', {}],
      ['another field', { metadata: {}, agent_id: 'echo' }],
      ['no object', 'x'],
    ])('S5 PATCH of %s is refused, and changes nothing', async (_, body) => {
      await attach('refuses', { metadata: { title: 'stays' } });
      expect(await ask('PATCH', '/refuses', { body })).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid_frame', retryable: false } },
      });
      expect((await ask('GET', '/refuses')).body.metadata).toEqual({ title: 'stays' });
    });

    it('X2 X3 PATCH needs write, and tells nothing of the sessions of others', async () => {
      await attach('hers', { metadata: { title: 'hers' } });
      expect(await patch('hers', {}, { token: reader })).toMatchObject({
        status: 403,
        body: { error: { code: 'insufficient_scope' } },
      });
      const foreign = await patch('hers', { title: 'his' }, { token: bob });
      expect(foreign.status).toBe(404);
      expect(await patch('nowhere', { title: 'his' }, { token: bob })).toEqual(foreign);
      expect((await ask('GET', '/hers')).body.metadata).toEqual({ title: 'hers' });
      const named = await patch('hers?principal=alice', { by: 'ops' }, { token: ops });
      expect(named.body.metadata).toEqual({ title: 'hers', by: 'ops' });
      expect(await patch('hers?principal=alice', {}, { token: bob })).toMatchObject({
        status: 403,
        body: { error: { code: 'insufficient_scope' } },
      });
      const { principal, target, of } = await node.waitForLog(
        ({ msg, action }) => msg === 'admin act' && action === 'session_patch',
      );
      expect({ principal, target, of }).toEqual({ principal: 'ops', target: 'hers', of: 'alice' });
    });
  });

  describe('the listing', () => {
    it("X2 has the caller's own sessions in pages, the last used first", async () => {
      const carol = Array.from({ length: 5 }, (_, n) => `page-${n}`);
      for (const id of carol) await attach(id, {}, bob);
      await attach('not-his');
      const newest = [...carol].reverse();
      expect((await list('', bob)).slice(0, 5)).toEqual(newest);
      expect(await list('', bob)).not.toContain('not-his');
      expect(await list()).toContain('not-his');
      const pages: string[][] = [];
      for (let after = ''; pages.length < 3; ) {
        const { body } = await ask('GET', `?limit=2${after}`, { token: bob });
        pages.push((body.sessions as Listed[]).map(({ session_id }) => session_id));
        if (body.next === null) break;
        after = `&after=${String(body.next)}`;
      }
      expect(pages).toEqual([newest.slice(0, 2), newest.slice(2, 4), newest.slice(4)]);
    });

    it('X2 lets the scope admin see all, or those of one principal, with a line in the log', async () => {
      await attach('of-alice');
      await attach('of-bob', {}, bob);
      const all = await list('', ops);
      expect(all).toEqual(expect.arrayContaining(['of-alice', 'of-bob']));
      expect(await list('&principal=bob', ops)).toContain('of-bob');
      expect(await list('&principal=bob', ops)).not.toContain('of-alice');
      await node.waitForLog(
        ({ msg, action, target, principal }) =>
          msg === 'admin act' &&
          action === 'sessions_list' &&
          target === 'bob' &&
          principal === 'ops',
      );
      expect(await ask('GET', '?principal=alice', { token: bob })).toMatchObject({
        status: 403,
        body: { error: { code: 'insufficient_scope' } },
      });
    });

    it('E7 says what a session does, and finds those of a state or an agent', async () => {
      cluster.agent.behave(httpBehaviours.hang());
      const busy = await attach('busy', { metadata: { title: 'busy' } });
      busy.message('first', { message_id: 'm1' });
      busy.message('second', { message_id: 'm2' });
      await eventually(() => cluster.agent.turns.some(({ turn }) => turn.session_id === 'busy'));
      await attach('rests', { agent_id: 'echo' });
      const { body } = await ask('GET', '?state=executing');
      expect(body).toEqual({
        sessions: [
          {
            session_id: 'busy',
            agent_id: 'slow',
            principal: 'alice',
            state: 'executing',
            pending: 2,
            paused: false,
            holder: expect.stringMatching(new RegExp(`^(${node.nodeId}|${other.nodeId})$`)),
            created_at: expect.any(Number),
            last_activity: expect.any(Number),
            metadata: { title: 'busy' },
          },
        ],
        next: null,
      });
      expect(await list('&agent_id=echo')).toEqual(['rests']);
      expect(await list('&agent_id=echo&state=executing')).toEqual([]);
      expect(await list('&state=idle')).toContain('rests');
      busy.send({ type: 'abort' });
      await busy.final('m1');
      busy.send({ type: 'abort' });
      await busy.final('m2');
      cluster.agent.behave(httpBehaviours.delayMs(0));
    });

    it('D9 forgets a session that was ended', async () => {
      await attach('ends');
      expect(await list()).toContain('ends');
      expect((await ask('DELETE', '/ends')).status).toBe(200);
      expect(await list()).not.toContain('ends');
    });

    it.each(['state=x', 'after=x', 'limit=0', 'limit=101', 'limit=1.5', 'limit=x', 'agent_id='])(
      'S5 ?%s is refused',
      async (query) => {
        expect(await ask('GET', `?${query}`)).toMatchObject({
          status: 400,
          body: { error: { code: 'invalid_frame', retryable: false } },
        });
      },
    );
  });

  describe('the history in pages', () => {
    type Page = { readonly messages: { message_id: string; role: string }[]; older: string | null };
    const read = async (id: string, query: string) => {
      const { status, body } = await ask('GET', `/${id}?${query}`);
      expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
      return body as Page;
    };
    const idsOf = ({ messages }: Page) => messages.map((it) => `${it.role} ${it.message_id}`);

    it('E7 B1 leads back to its beginning, also while new messages come', async () => {
      const client = await attach('long', { agent_id: 'echo' });
      const say = async (id: string) => {
        client.message('hello', { message_id: id });
        await client.final(id);
      };
      for (let n = 1; n <= 5; n++) await say(`m${n}`);
      const whole = await read('long', '');
      expect(whole.older).toBeNull();
      expect(whole.messages).toHaveLength(10);
      let page = await read('long', 'limit=3');
      const seen = [idsOf(page)];
      for (let n = 6; page.older !== null; n++) {
        await say(`m${n}`);
        page = await read('long', `limit=3&before=${page.older}`);
        seen.unshift(idsOf(page));
      }
      expect(seen.map(({ length }) => length)).toEqual([1, 3, 3, 3]);
      expect(seen.flat()).toEqual(idsOf(whole));
    });

    it('B1 has pages of a megabyte at most', async () => {
      const client = await attach('large', { agent_id: 'echo' });
      const names = ['m1', 'm2', 'm3'];
      for (const message_id of names) {
        client.message('x'.repeat(900_000), { message_id });
        await client.final(message_id);
      }
      const pages: Page[] = [];
      for (let before = ''; before !== '&before=null'; ) {
        const page = await read('large', `limit=100${before}`);
        expect(JSON.stringify(page.messages).length).toBeLessThan(1.1 * 1_024 * 1_024);
        pages.unshift(page);
        before = `&before=${page.older}`;
      }
      expect(pages.length).toBeGreaterThan(1);
      expect(pages.flatMap(idsOf)).toEqual(names.flatMap((m) => [`user ${m}`, `assistant ${m}`]));
    });

    it('E7 are empty for a place that the history has lost', async () => {
      const client = await attach('lost', { agent_id: 'echo' });
      client.message('hello', { message_id: 'm1' });
      await client.final('m1');
      expect(await read('lost', 'before=u~gone~1795384129742')).toMatchObject({
        messages: [],
        older: null,
      });
      expect((await ask('GET', '/lost?before=x')).status).toBe(400);
    });
  });
});
