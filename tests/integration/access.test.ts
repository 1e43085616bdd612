import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ConnectOptions,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const tokens = [
  { token: 'alice-0123456789abcdef', principal: 'alice', scopes: ['read', 'write'] },
  { token: 'bob-0123456789abcdef00', principal: 'bob', scopes: ['read', 'write'] },
  { token: 'reader-0123456789abcd', principal: 'alice', scopes: ['read'] },
  { token: 'writer-0123456789abcd', principal: 'alice', scopes: ['write'] },
];
const [alice, bob, reader, writer] = tokens.map(({ token }) => token);

/** Every path that answers without credentials, and one of each kind that must not. */
const open = ['/health', '/ready', '/live', '/openapi.json', '/'];
const guarded: [string, string][] = [
  ['GET', '/info'],
  ['GET', '/v1/sessions/mine'],
  ['GET', '/v1/sessions/mine/events'],
  ['POST', '/v1/sessions/mine/messages'],
  ['POST', '/v1/sessions/mine/abort'],
  ['DELETE', '/v1/sessions/mine'],
  ['GET', '/v1/sessions'],
  ['GET', '/there/is/nothing/here'],
];

type Asked = { readonly status: number; readonly code: unknown };

/** Sends the headers unchanged: `fetch` would not send a foreign Host. */
function ask(
  node: GatewayProcess,
  [method, path]: readonly [string, string],
  { headers = {}, body }: { headers?: Record<string, string>; body?: unknown } = {},
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const sent = request(`${node.url}${path}`, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        // A stream of events would go on: only its status counts.
        if (response.headers['content-type'] === 'text/event-stream') response.destroy();
      });
      response.on('close', () => {
        const code = /"code":"(\w+)"/.exec(text)?.[1];
        resolve({ status: response.statusCode ?? 0, code });
      });
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? JSON.stringify(body) : undefined);
  });
}

const bearer = (token = '') => ({ headers: { authorization: `Bearer ${token}` } });

async function refusedHello(node: GatewayProcess, path: string, options: ConnectOptions = {}) {
  const client = await FrameClient.connect(`${node.wsUrl}${path}`, options);
  const { code } = await client.closed;
  return { code, frames: client.frames.map((frame) => [frame.type, frame.code]) };
}

describe('access', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    node = await cluster.start({
      gateway: { auth: { tokens }, allowed_origins: ['https://app.example'] },
    });
  });
  afterAll(() => cluster.stop());

  it('X1 nothing but probes, the document and the page answers without valid credentials', async () => {
    for (const path of open) expect((await ask(node, ['GET', path])).status).toBe(200);
    for (const way of guarded) {
      const asked = { way, none: await ask(node, way), bad: await ask(node, way, bearer('alice')) };
      expect(asked).toEqual({
        way,
        none: { status: 401, code: 'auth_required' },
        bad: { status: 401, code: 'auth_unauthorized' },
      });
    }
    const near = [`${alice}x`, alice?.slice(0, -1), alice?.toUpperCase(), ''];
    for (const token of near) {
      expect((await ask(node, ['GET', '/info'], bearer(token))).status).toBe(401);
    }
    expect(await refusedHello(node, '')).toEqual({
      code: 4003,
      frames: [['hello_error', 'auth_required']],
    });
    expect(await refusedHello(node, '?token=wrong')).toEqual({
      code: 4003,
      frames: [['hello_error', 'auth_unauthorized']],
    });
  });

  it('X1 credentials come as header, as subprotocol or in the query', async () => {
    const ways: [string, ConnectOptions][] = [
      ['', { token: alice ?? '' }],
      ['', { protocols: ['sluice.v1', `bearer.${alice}`] }],
      [`?token=${alice}`, {}],
    ];
    for (const [path, options] of ways) {
      const client = await FrameClient.connect(`${node.wsUrl}${path}`, options);
      expect(await client.hello({ agent_id: 'slow' })).toMatchObject({ type: 'hello_ok' });
    }
    expect((await ask(node, ['GET', `/info?token=${alice}`])).status).toBe(200);
  });

  it('X2 the same id of another principal is another session, and no path reaches it', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const mine = await cluster.attach(node, { session_id: 'mine' }, { token: alice ?? '' });
    await mine.final(mine.message('of alice', { message_id: 'a1' }));
    const known = mine.frames.length;

    const paths = guarded.filter(([, path]) => path.startsWith('/v1/sessions/'));
    const body = { content: 'from bob' };
    for (const way of paths) {
      const [method, path] = way;
      const never = [method, path.replace('mine', 'never')] as const;
      const asked = await ask(node, way, { ...bearer(bob), body });
      expect({ way, ...asked }).toEqual({ way, status: 404, code: 'session_not_found' });
      expect(await ask(node, never, { ...bearer(bob), body })).toEqual(asked);
    }

    const theirs = await cluster.attach(node, { session_id: 'mine' }, { token: bob ?? '' });
    expect(theirs.frames[0]).toMatchObject({ resumed: false, cursor: 0, pending: 0 });
    cluster.agent.behave(httpBehaviours.hang());
    mine.message('runs', { message_id: 'a2' });
    await mine.waitFor({ status: 'accepted', message_id: 'a2' });
    theirs.send({ type: 'abort' });
    expect(await theirs.waitFor({ type: 'no_active_turn' })).toBeDefined();
    theirs.send({ type: 'cancel', message_id: 'a2' });
    expect(await theirs.waitFor({ type: 'error' })).toMatchObject({ code: 'not_pending' });
    theirs.send({ type: 'snapshot' });
    expect((await theirs.waitFor({ type: 'snapshot' })).state).toMatchObject({
      messages: [],
      pending_inbox: [],
    });
    expect((await ask(node, ['DELETE', '/v1/sessions/mine'], bearer(bob))).status).toBe(200);

    // Alice's session was not touched, and the agent got the right principals.
    expect(mine.frames.slice(known).map(({ status }) => status)).toEqual(['accepted']);
    expect(cluster.agent.turns.map(({ turn }) => turn.principal)).toEqual(['alice', 'alice']);
    mine.send({ type: 'abort' });
    await mine.final('a2');
    expect(await cluster.sessionEnds()).toMatchObject([{ principal: 'bob' }]);
  });

  it('X1 scopes bound what a token may do', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const owner = await cluster.attach(node, { session_id: 'scoped' }, { token: alice ?? '' });
    await owner.final(owner.message('hello'));
    const denied = { status: 403, code: 'insufficient_scope' };
    const body = { content: 'hello' };
    for (const way of guarded) {
      const [method, path] = way;
      if (!path.startsWith('/v1/sessions/')) continue;
      const scoped = [method, path.replace('mine', 'scoped')] as const;
      const token = method === 'GET' ? writer : reader;
      expect({ way, ...(await ask(node, scoped, { ...bearer(token), body })) }).toEqual({
        way,
        ...denied,
      });
    }
    // The same principal may attach and read, and sees the same session.
    const client = await cluster.attach(node, { session_id: 'scoped' }, { token: reader ?? '' });
    expect(client.frames[0]).toMatchObject({ resumed: true });
    const frames = [
      { type: 'message', content: 'hello', message_id: 'no' },
      { type: 'abort' },
      { type: 'cancel', message_id: 'no' },
    ];
    for (const frame of frames) client.send(frame);
    const errors = await client.collect(3, { type: 'error' });
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'insufficient_scope', required_scope: 'write' });
    }
    expect(errors[0]).toMatchObject({ message_id: 'no' });
    expect((await ask(node, ['GET', '/v1/sessions/scoped'], bearer(reader))).status).toBe(200);
    // Unauthorized frames count as bad ones (X4).
    for (let i = 0; i < 7; i++) client.send({ type: 'abort' });
    expect(await client.closed).toMatchObject({ code: 4028 });

    const blind = await FrameClient.connect(node.wsUrl, { token: writer ?? '' });
    blind.send({ type: 'hello', agent_id: 'slow' });
    expect(await blind.waitFor({ type: 'error' })).toMatchObject({
      code: 'insufficient_scope',
      required_scope: 'read',
    });
  });

  it('X3 pages of other origins are refused, with valid credentials too', async () => {
    const asked = async (origin: string) =>
      ask(node, ['GET', '/info'], { headers: { ...bearer(alice).headers, origin } });
    expect(await asked('https://evil.example')).toEqual({
      status: 403,
      code: 'origin_not_allowed',
    });
    expect(await asked('null')).toEqual({ status: 403, code: 'origin_not_allowed' });
    expect((await asked('https://app.example')).status).toBe(200);
    const options = { token: alice ?? '', origin: 'https://evil.example' };
    expect(await refusedHello(node, '', options)).toEqual({
      code: 4003,
      frames: [['hello_error', 'origin_not_allowed']],
    });
  });

  it('X3 without authentication a foreign Origin or Host is refused on every path', async () => {
    const lax = await cluster.start();
    const refused = { status: 403, code: 'origin_not_allowed' };
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { host: 'evil.example' },
      { host: `rebound.example:${lax.port}` },
    ];
    const others: [string, string][] = [
      ['PATCH', '/v1/sessions/mine'],
      ['GET', '/v1/dead-letters'],
      ['POST', '/v1/dead-letters/mine/retry'],
      ['GET', '/v1/nodes'],
      ['GET', '/openapi.json'],
      ['GET', '/favicon.ico'],
      ['GET', '/ws'],
    ];
    const ways = [...guarded, ...others, ...open.map((path): [string, string] => ['GET', path])];
    for (const headers of foreign) {
      for (const way of [...ways, ['OPTIONS', '/info'] as [string, string]]) {
        expect({ headers, way, ...(await ask(lax, way, { headers })) }).toEqual({
          headers,
          way,
          ...refused,
        });
      }
      expect(await refusedHello(lax, '', { headers })).toEqual({
        code: 4003,
        frames: [['hello_error', 'origin_not_allowed']],
      });
    }
    expect((await ask(lax, ['GET', '/info'])).status).toBe(200);
    const own = { headers: { origin: 'http://localhost:3000', host: `localhost:${lax.port}` } };
    expect((await ask(lax, ['GET', '/info'], own)).status).toBe(200);
  });
});
