import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  type LogLine,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const alice = 'alice-0123456789abcdef';
const bob = 'bob-0123456789abcdef00';
const ops = 'ops-0123456789abcdef00';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: bob, principal: 'bob', scopes: ['read', 'write'] },
  { token: ops, principal: 'ops', scopes: ['admin'] },
];

type Answer = { readonly status: number; readonly body: Record<string, unknown> };
type Listed = Record<string, unknown>;

describe('what operators see and do over HTTP', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let edge: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { auth: { tokens }, drain_timeout: '20s', close_spread: '50ms' },
    });
    node = await cluster.start();
    edge = await cluster.start({ gateway: { roles: ['edge'] } });
  });
  afterAll(() => cluster.stop());

  async function ask(method: string, path: string, token = ops): Promise<Answer> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${edge.url}/v1${path}`, { method, headers });
    return { status: response.status, body: Object(await response.json()) };
  }
  const nodes = async () => (await ask('GET', '/nodes')).body.nodes as Listed[];
  const nodeOf = async (id: string) => (await nodes()).find(({ node_id }) => node_id === id);
  const hasAct = (fields: Listed) =>
    edge.waitForLog(
      (line: LogLine) =>
        line.msg === 'admin act' &&
        Object.entries({ principal: 'ops', ...fields }).every(([key, is]) => line[key] === is),
    );
  const hang = () => cluster.agent.behave(httpBehaviours.hang());
  const turnOf = (session: string) =>
    eventually(() => cluster.agent.turns.some(({ turn }) => turn.session_id === session), 10_000);

  it('B1 who is alive, with which roles, agents and load', async () => {
    hang();
    const client = await cluster.attach(edge, { session_id: 'loads' }, { token: alice });
    client.message('hello', { message_id: 'm1' });
    await turnOf('loads');
    await eventually(async () => {
      const [its, edges] = [await nodeOf(node.nodeId), await nodeOf(edge.nodeId)];
      return Object(its?.load).executing === 1 && Object(edges?.load).connections === 1;
    }, 10_000);
    expect(await nodeOf(node.nodeId)).toEqual({
      node_id: node.nodeId,
      state: 'live',
      beat_age_ms: expect.any(Number),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      roles: ['edge', 'worker'],
      agents: ['slow'],
      load: { connections: 0, executing: 1, concurrency: 64 },
    });
    expect(await nodeOf(edge.nodeId)).toMatchObject({ state: 'live', roles: ['edge'] });
    await hasAct({ action: 'nodes_list', target: '*' });
    expect((await ask('GET', '/agents')).body).toEqual({
      agents: [{ agent_id: 'slow', nodes: [node.nodeId], paused: false }],
    });
    await hasAct({ action: 'agents_list', target: '*' });
    client.send({ type: 'abort' });
    await client.final('m1');
  });

  it('D1 D2 D7 a node drains on request, and a SIGTERM after it forces nothing', async () => {
    const other = await cluster.start({
      gateway: { roles: ['worker'] },
      agents: { only: { kind: 'http', url: cluster.agent.url } },
    });
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    cluster.agent.behave(async (turn, response) => {
      await held;
      await httpBehaviours.delayMs(0)(turn, response);
    });
    const hello = { session_id: 'stays', agent_id: 'only' };
    // The edge learns of the new agent with its next beat.
    const client = await eventually(() => cluster.attach(edge, hello, { token: alice }), 5_000);
    client.message('hello', { message_id: 'm1' });
    await turnOf('stays');
    expect(await ask('POST', `/nodes/${other.nodeId}/drain`)).toEqual({
      status: 202,
      body: { type: 'drain_requested', node_id: other.nodeId },
    });
    await hasAct({ action: 'node_drain', target: other.nodeId, outcome: 'told' });
    await other.waitForLog(({ msg }) => msg === 'draining');
    await eventually(async () => (await nodeOf(other.nodeId))?.state === 'draining', 5_000);
    expect((await ask('GET', '/agents')).body.agents).toContainEqual({
      agent_id: 'only',
      nodes: [],
      paused: false,
    });
    expect((await ask('POST', `/nodes/${other.nodeId}/drain`)).status).toBe(202);
    other.signal('SIGTERM');
    await other.waitForLog(({ msg }) => msg === 'stop requested');
    finish();
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'ok' }, attempt: 1 });
    expect(await other.exited).toMatchObject({ code: 0 });
    expect(await nodeOf(other.nodeId)).toBeUndefined();
    expect(await ask('POST', `/nodes/${other.nodeId}/drain`)).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found', retryable: false } },
    });
  });

  it('C3 a node that was killed is silent, and hears nothing', async () => {
    const other = await cluster.start({ gateway: { roles: ['edge'] } });
    await other.kill();
    await eventually(async () => (await nodeOf(other.nodeId))?.state === 'silent', 10_000);
    expect(await ask('POST', `/nodes/${other.nodeId}/drain`)).toMatchObject({
      status: 503,
      body: { error: { code: 'unavailable', retryable: true } },
    });
    await hasAct({ action: 'node_drain', target: other.nodeId, outcome: 'not_heard' });
  });

  it("D4 D9 an operator ends somebody's session", async () => {
    hang();
    const client = await cluster.attach(edge, { session_id: 'ends' }, { token: alice });
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    await turnOf('ends');
    expect((await ask('POST', '/sessions/ends/end')).status).toBe(404);
    expect(await ask('POST', '/sessions/ends/end?principal=alice')).toEqual({
      status: 200,
      body: { type: 'session_ended', session_id: 'ends' },
    });
    expect((await client.final('m1')).outcome).toMatchObject({ status: 'aborted' });
    expect((await client.final('m2')).outcome).toMatchObject({ status: 'cancelled' });
    const end = await client.waitFor({ type: 'session_end' });
    expect(end.data).toMatchObject({
      reason: 'Ended by operator',
      reason_code: 'operator',
      continues: false,
    });
    await hasAct({ action: 'session_end', target: 'ends', of: 'alice' });
    expect((await ask('POST', '/sessions/ends/end?principal=alice')).status).toBe(404);
  });

  it('D4 ends of sessions come oldest first in pages, of all or of one principal', async () => {
    for (const [n, token] of [alice, bob, alice, bob].entries()) {
      const client = await cluster.attach(edge, { session_id: `e${n}` }, { token });
      await client.close();
      expect((await ask('DELETE', `/sessions/e${n}`, token)).status).toBe(200);
    }
    const page = async (query: string) => {
      const { body } = await ask('GET', `/session-ends?${query}`);
      return { ends: body.session_ends as Listed[], next: body.next };
    };
    const idsOf = (ends: Listed[]) => ends.map(({ session_id }) => session_id);
    const all = await page('limit=100');
    expect(idsOf(all.ends).slice(-4)).toEqual(['e0', 'e1', 'e2', 'e3']);
    expect(all.next).toBeNull();
    const at = all.ends.length - 5;
    const first = await page(`limit=3&after=${all.ends[at]?.id}`);
    expect(idsOf(first.ends)).toEqual(['e0', 'e1', 'e2']);
    const rest = await page(`limit=3&after=${first.next}`);
    expect([idsOf(rest.ends), rest.next]).toEqual([['e3'], null]);
    expect(idsOf((await page('principal=bob')).ends)).toEqual(['e1', 'e3']);
    const [entry] = (await cluster.sessionEnds()).slice(-1);
    const last = all.ends.at(-1);
    const texts = Object.entries(last ?? {}).map(([name, value]) => [name, String(value)]);
    const { id: _id, ...fields } = Object.fromEntries(texts);
    expect(entry).toMatchObject(fields);
    await hasAct({ action: 'session_ends_list', target: 'bob' });
    expect((await ask('GET', '/session-ends?after=x')).status).toBe(400);
  });

  const admin: readonly [string, string][] = [
    ['GET', '/nodes'],
    ['POST', '/nodes/x/drain'],
    ['GET', '/agents'],
    ['POST', '/sessions/mine/end'],
    ['GET', '/session-ends'],
    ['GET', '/dead-letters'],
    ['POST', '/dead-letters/x/retry'],
    ['DELETE', '/dead-letters/x'],
  ];
  it.each(admin)('X1 X2 %s %s needs credentials, then the scope admin', async (method, path) => {
    await cluster.attach(edge, { session_id: 'mine' }, { token: alice });
    const codeOf = async (token: string) => {
      const { status, body } = await ask(method, path, token);
      return [status, Object(body.error).code];
    };
    expect(await codeOf('wrong-0123456789abcdef')).toEqual([401, 'auth_unauthorized']);
    expect(await codeOf(alice)).toEqual([403, 'insufficient_scope']);
    expect((await ask('GET', '/sessions/mine', alice)).status).toBe(200);
  });

  const sessionPaths: readonly [string, string, object | undefined][] = [
    ['GET', '', undefined],
    ['PATCH', '', { metadata: { title: 'x' } }],
    ['DELETE', '', undefined],
    ['GET', '/events', undefined],
    ['POST', '/abort', undefined],
    ['POST', '/messages', { content: 'hello' }],
    ['POST', '/messages?wait=1', { content: 'hello', message_id: 'm1' }],
  ];
  it.each(sessionPaths)(
    'X2 %s %s answers for a foreign session as for one that never existed',
    async (method, path, body) => {
      await cluster.attach(edge, { session_id: 'secret' }, { token: alice });
      const asked = async (id: string) => {
        const response = await fetch(`${edge.url}/v1/sessions/${id}${path}`, {
          method,
          headers: { authorization: `Bearer ${bob}` },
          ...(body ? { body: JSON.stringify(body) } : {}),
        });
        const { date: _date, ...headers } = Object.fromEntries(response.headers);
        return { status: response.status, headers, text: await response.text() };
      };
      const foreign = await asked('secret');
      expect(foreign.status).toBe(404);
      expect(foreign.text).toContain('session_not_found');
      expect(await asked('never-was')).toEqual(foreign);
      expect((await ask('GET', '/sessions/secret', alice)).body).toMatchObject({
        messages: [],
        metadata: {},
        pending_inbox: [],
      });
    },
  );
});
