import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { clientFrames } from '@sluice/protocol/json-schema';
import { eventually, FrameClient, type GatewayProcess, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { sluice } from '../support/cluster/sluice.js';
import { nameOf, routeTable } from '../support/edge/route-table.js';

const alice = 'alice-0123456789abcdef';
const admin = 'admin-0123456789abcdef';
const operator = 'operator-0123456789abc';
const both = 'both-0123456789abcdef00';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: admin, principal: 'boss', scopes: ['admin'] },
  { token: operator, principal: 'operator', scopes: ['operate'] },
  { token: both, principal: 'both', scopes: ['read', 'write', 'operate'] },
];
/** In each text that a client or an agent gives, but in no id. */
const secret = 'Planted-4711';
const agent = fileURLToPath(new URL('../support/agents/telling-agent.mjs', import.meta.url));

type Answer = { readonly status: number; readonly all: string; readonly body: unknown };
type Asked = { readonly token?: string; readonly body?: unknown };

describe('scope operate', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let letters: string[] = [];

  async function ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const { token = operator, body } = asked;
    const response = await fetch(`${node.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (isStream) await response.body?.cancel();
    const text = isStream ? '' : await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    const headers = JSON.stringify(Object.fromEntries(response.headers));
    const { status } = response;
    return { status, all: `${headers}\n${text}`, body: isJson ? JSON.parse(text) : undefined };
  }

  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { auth: { tokens }, rate_limit: { requests_per_second: 0 } },
    });
    process.env.TELLING_AGENT_SAYS = secret;
    const telling = { kind: 'module', path: agent, retry: { for: '0s' } };
    node = await cluster.start({ agents: { telling } });
    delete process.env.TELLING_AGENT_SAYS;
    const asAlice = { token: alice };
    const say = (id: string, content: string, more = {}) =>
      ask('POST', `/v1/sessions/${id}/messages?wait=20`, {
        ...asAlice,
        body: { agent_id: 'telling', content: `${content} ${secret}`, ...more },
      });
    await say('s1', 'hello', { metadata: { [secret]: secret } });
    await say('s1', 'error');
    await say('s1', 'fail', { message_id: 'dead-1' });
    await say('s1', 'fail', { message_id: 'dead-2' });
    await say('gone', 'hello');
    const patch = { metadata: { title: secret } };
    await ask('PATCH', '/v1/sessions/s1', { ...asAlice, body: patch });
    await ask('DELETE', '/v1/sessions/gone', asAlice);
    // One session stays in mid-turn, with a message behind it and an abort with a text.
    const hanging = await cluster.attach(node, { session_id: 'busy' }, { token: alice });
    cluster.agent.behave(async (_turn, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    for (const message_id of ['b1', 'b2']) hanging.message(`busy ${secret}`, { message_id });
    await eventually(() => cluster.agent.turns.length > 0, 10_000);
    const all = Object((await ask('GET', '/v1/dead-letters', { token: admin })).body);
    letters = all.dead_letters.map(({ id }: { id: string }) => id);
  }, 60_000);
  afterAll(() => cluster.stop());

  const listings = [
    ...['/info', '/metrics', '/v1/sessions', '/v1/sessions?principal=alice&limit=1'],
    ...['/v1/sessions?principal=alice&state=executing', '/v1/sessions/s1?principal=alice'],
    ...['/v1/sessions/busy?principal=alice', '/v1/dead-letters', '/v1/dead-letters?limit=1'],
    ...['/v1/session-ends', '/v1/nodes', '/v1/agents'],
  ];

  it('X2 what was planted is in the answers to admin', async () => {
    const found: string[] = [];
    for (const path of listings) {
      const { status, all } = await ask('GET', path, { token: admin });
      expect({ path, status }).toEqual({ path, status: 200 });
      if (all.includes(secret)) found.push(path);
    }
    expect(found).toEqual([
      ...['/v1/sessions', '/v1/sessions/s1?principal=alice'],
      ...['/v1/sessions/busy?principal=alice', '/v1/dead-letters', '/v1/dead-letters?limit=1'],
    ]);
    expect(letters).toHaveLength(2);
  });

  it('X2 lists sessions, letters, ends, nodes and agents of everybody, without a text', async () => {
    for (const token of [operator, both]) {
      for (const path of listings) {
        const { status, all } = await ask('GET', path, { token });
        expect({ path, token, status }).toEqual({ path, token, status: 200 });
        expect({ path, leaks: all.includes(secret) }).toEqual({ path, leaks: false });
      }
    }
    const { sessions } = Object((await ask('GET', '/v1/sessions')).body);
    expect(sessions).toContainEqual({
      ...{ session_id: 'busy', agent_id: 'slow', principal: 'alice', state: 'executing' },
      ...{ pending: 2, paused: false, holder: node.nodeId },
      ...{ created_at: expect.any(Number), last_activity: expect.any(Number) },
    });
    const session = (await ask('GET', '/v1/sessions/busy?principal=alice')).body;
    expect(session).toMatchObject({ pending_message_ids: ['b1', 'b2'], is_executing: true });
    expect(session).toMatchObject({ work: { principal: 'alice', oldest_message_id: 'b1' } });
    const { dead_letters } = Object((await ask('GET', '/v1/dead-letters')).body);
    expect(dead_letters[0]).toEqual({
      ...{ id: letters[0], principal: 'alice', session_id: 's1', agent_id: 'telling' },
      ...{ message_id: 'dead-2', attempts: 1 },
      ...{ timestamp: expect.any(Number), accepted_at: expect.any(Number) },
    });
    const { session_ends } = Object((await ask('GET', '/v1/session-ends')).body);
    expect(session_ends).toMatchObject([{ session_id: 'gone', reason_code: 'client_end' }]);
    await node.waitForLog(
      ({ msg, principal, action }) =>
        msg === 'admin act' && principal === 'operator' && action === 'dead_letters_list',
    );
  });

  it('X2 reaches no other path, whatever is sent there', async () => {
    const refused = routeTable().filter(
      ({ doc, path }) => doc.operate === 'refused' && path !== '/ws',
    );
    expect(refused.map(nameOf)).toHaveLength(7);
    for (const { method, path } of refused) {
      for (const token of [operator, both]) {
        const id = path.includes('dead-letters') ? (letters[0] ?? '') : 's1';
        const at = `${path.replace(':id', encodeURIComponent(id))}?principal=alice`;
        const answer = await ask(method, at, { token, body: method === 'GET' ? undefined : {} });
        expect({ at, status: answer.status }).toEqual({ at, status: 403 });
        expect(answer.all).not.toContain(secret);
      }
      const own = await ask(method, path.replace(':id', 's1'), {
        body: method === 'GET' ? undefined : {},
      });
      expect({ path, status: own.status }).toEqual({ path, status: 403 });
    }
  });

  it('X2 with read and write a principal reads its own sessions in full', async () => {
    const body = { agent_id: 'telling', content: `my own ${secret}` };
    await ask('POST', '/v1/sessions/own/messages?wait=20', { token: both, body });
    expect((await ask('GET', '/v1/sessions/own', { token: both })).all).toContain(secret);
    const named = await ask('GET', '/v1/sessions/own?principal=both', { token: both });
    expect([named.status, named.all.includes(secret)]).toEqual([200, false]);
  });

  it('X2 answers no frame but those that carry nothing', async () => {
    const client = await FrameClient.connect(node.wsUrl, { token: operator });
    const sent: Readonly<Record<string, unknown>> = {
      ...{
        hello: { session_id: 's1', agent_id: 'telling' },
        join: { session_id: 's1', agent_id: 'telling' },
        message: { content: 'x' },
      },
      ...{
        abort: {},
        message_abort: {},
        cancel: { message_id: 'b2' },
        snapshot: {},
        leave: {},
        ping: {},
        pong: {},
      },
    };
    expect(Object.keys(sent).sort()).toEqual(Object.keys(clientFrames).sort());
    for (const [type, fields] of Object.entries(sent)) {
      if (type === 'pong') continue; // it has no answer
      client.send({ type, ...Object(fields) });
      const answer = await client.next();
      const code =
        type === 'ping' ? undefined : type === 'leave' ? 'not_joined' : 'insufficient_scope';
      expect({ type, code: answer.code }).toEqual({ type, code });
    }
    await client.close();
  });

  it('P1 T4 D1 pauses, resumes, retries and drains', async () => {
    const acts: readonly [string, number][] = [
      ['/v1/sessions/s1/pause?principal=alice', 200],
      ['/v1/sessions/s1/resume?principal=alice', 200],
      ['/v1/agents/telling/pause', 200],
      [`/v1/dead-letters/${encodeURIComponent(letters[1] ?? '')}/retry`, 202],
      ['/v1/dead-letters/retry?agent=telling', 200],
      ['/v1/dead-letters/none/retry', 404],
      ['/v1/sessions/none/pause?principal=alice', 404],
      ['/v1/agents/telling/resume', 200],
    ];
    for (const [path, status] of acts) {
      const answer = await ask('POST', path);
      expect({ path, status: answer.status }).toEqual({ path, status });
      expect(answer.all).not.toContain(secret);
    }
    const other = await cluster.start({ gateway: { roles: ['edge'] } });
    const drain = async () => (await ask('POST', `/v1/nodes/${other.nodeId}/drain`)).status;
    await eventually(async () => (await drain()) === 202, 10_000);
    expect(await other.exited).toMatchObject({ code: 0 });
  });

  it('X2 the commands of operators work, and print no text of anybody', async () => {
    const env = { SLUICE_URL: node.url, SLUICE_TOKEN: operator };
    const commands: readonly (readonly [string, number])[] = [
      ['sessions list', 0],
      ['sessions list --json', 0],
      ['sessions show s1 --principal alice', 0],
      ['sessions show busy --principal alice --json', 0],
      ['agents list', 0],
      ['nodes', 0],
      ['dead-letters list', 0],
      ['dead-letters list --json', 0],
      ['sessions pause s1 --principal alice', 0],
      ['sessions resume s1 --principal alice', 0],
      ['sessions end s1 --principal alice', 1],
      ['sessions abort busy --principal alice', 1],
      [`dead-letters drop ${letters[0]}`, 1],
    ];
    for (const [command, status] of commands) {
      const ended = await sluice(command.split(' '), { env });
      expect({ command, ...ended, stdout: '' }).toMatchObject({ command, status });
      expect(ended.stdout + ended.stderr).not.toContain(secret);
    }
    const shown = await sluice(['sessions', 'show', 's1', '--principal', 'alice'], { env });
    expect(shown.stdout).toMatch(/^last turn {2}not shown to scope operate$/m);
  }, 60_000);
});

describe('scope operate with gateway.admin_port', () => {
  it('X2 reaches its paths on that port, and nothing on the other', async () => {
    const cluster = await Cluster.open(await startRedis());
    const node = await cluster.start({ gateway: { admin_port: 0, auth: { tokens } } });
    const ready = await node.waitForLog(({ msg }) => msg === 'ready');
    const adminUrl = `http://127.0.0.1:${ready.admin_port}`;
    const statusOf = async (url: string, token: string) =>
      (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
    const main: readonly [string, number][] = [
      ['/info', 403],
      ['/v1/sessions', 403],
      ['/v1/sessions?principal=alice', 403],
      ['/v1/nodes', 404],
    ];
    for (const [path, status] of main) {
      const is = await statusOf(node.url + path, operator);
      expect({ path, is }).toEqual({ path, is: status });
      expect({ path, is: await statusOf(adminUrl + path, operator) }).toEqual({ path, is: 200 });
    }
    expect(await statusOf(`${adminUrl}/v1/sessions/s1/events`, operator)).toBe(403);
    expect(await statusOf(`${node.url}/v1/sessions`, both)).toBe(200);
    expect(await statusOf(`${node.url}/v1/sessions?principal=alice`, both)).toBe(403);
    await cluster.stop();
  });
});
