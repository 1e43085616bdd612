import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  eventually,
  freePort,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { sluice } from '../support/cluster/sluice.js';

// Each command is a new process, which starts slowly on a busy machine.
jest.setTimeout(90_000);

const alice = 'alice-0123456789abcdef';
const ops = 'ops-0123456789abcdef00';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: ops, principal: 'ops', scopes: ['admin'] },
];

describe('sluice for operators', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let edge: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { auth: { tokens }, drain_timeout: '5s', rate_limit: { sessions_per_minute: 0 } },
      slow: { retry: { for: '0s' } },
    });
    node = await cluster.start();
    edge = await cluster.start({ gateway: { roles: ['edge'] } });
  });
  afterAll(() => cluster.stop());

  /** Runs a command as an operator who has set SLUICE_URL and SLUICE_TOKEN. */
  const run = (args: string, more: Record<string, string> = {}) =>
    sluice(args.split(' '), { env: { SLUICE_URL: edge.url, SLUICE_TOKEN: ops, ...more } });
  /** The parsed output of a command that must succeed. */
  async function json(args: string): Promise<Record<string, unknown>[]> {
    const { status, stdout, stderr } = await run(`${args} --json`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout);
  }
  const talk = async (session: string, ...messages: string[]) => {
    const client = await cluster.attach(edge, { session_id: session }, { token: alice });
    for (const id of messages) client.message(id, { message_id: id });
    return client;
  };
  const runs = (session: string) =>
    eventually(() => cluster.agent.turns.some(({ turn }) => turn.session_id === session), 20_000);

  it('B1 nodes and agents, as a table and as JSON', async () => {
    expect((await json('nodes')).map(({ node_id }) => node_id).sort()).toEqual(
      [edge.nodeId, node.nodeId].sort(),
    );
    const { stdout } = await run('nodes');
    const [head = '', ...rows] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^NODE +STATE +CONNECTIONS +EXECUTING +BEAT +VERSION +ROLES +AGENTS$/);
    const at = head.indexOf('STATE');
    expect(rows.map((row) => row.slice(at, at + 5))).toEqual(['live ', 'live ']);
    expect(stdout).not.toContain('\u001b');
    expect(await json('agents list')).toEqual([
      { agent_id: 'slow', nodes: [node.nodeId], paused: false },
    ]);
    expect((await run('agents list')).stdout).toMatch(
      /^AGENT +STATE +WORKERS +NODES\nslow +on +1 +\S+\n$/,
    );
  });

  it('T6 T7 why a session stands still; abort and end', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const client = await talk('stuck', 'm1', 'm2', 'm3');
    await runs('stuck');
    await client.waitFor({ status: 'accepted', message_id: 'm3' });
    const { stdout } = await run('sessions show stuck --principal alice');
    expect(stdout).toMatch(/^session +stuck of alice, agent slow\nstate +executing$/m);
    expect(stdout).toMatch(
      new RegExp(`^holder +${node.nodeId}, lease for another \\d+\\.\\d s$`, 'm'),
    );
    expect(stdout).toMatch(/^attempt +1$/m);
    expect(stdout).toMatch(/^waiting +3, the oldest accepted \d+s ago \(m1\)$/m);
    expect(stdout).toMatch(/^last turn +-$/m);
    expect(await run('sessions abort stuck --principal alice')).toMatchObject({
      ...{ status: 0, stdout: 'stuck is told to stop its turn\n' },
    });
    expect((await client.final('m1')).outcome).toMatchObject({ status: 'aborted' });
    await eventually(async () => {
      const shown = (await run('sessions show stuck --principal alice')).stdout;
      return /^last turn +aborted.*, \d+s ago$/m.test(shown) && /^waiting +2, /m.test(shown);
    }, 20_000);
    const named = 'sessions abort stuck --principal alice --message';
    expect(await run(`${named} m1`)).toMatchObject({ status: 0, stdout: 'stuck stops m1\n' });
    const unknown = 'stuck stops nothing: m9 is not known\n';
    expect(await run(`${named} m9`)).toMatchObject({ status: 1, stdout: unknown });
    expect(await run('sessions end stuck --principal alice')).toMatchObject({
      ...{ status: 0, stdout: 'stuck has ended\n' },
    });
    expect((await client.final('m3')).outcome).toMatchObject({ status: 'cancelled' });
    expect((await run('sessions abort stuck --principal alice')).status).toBe(1);
  });

  it('P1 P2 a session and an agent are paused, shown so, and go on', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const client = await talk('held');
    const says = async (args: string) => {
      const { status, stdout, stderr } = await run(args);
      expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
      return stdout;
    };
    expect(await says('agents pause slow')).toMatch(/^slow is paused; /);
    expect(await says('agents list')).toMatch(/\nslow +paused +1 /);
    expect(await says('sessions pause held --principal alice')).toBe(
      'held is paused; messages wait\n',
    );
    client.message('x', { message_id: 'm1' });
    await client.waitFor({ status: 'accepted' });
    expect(await says('sessions show held --principal alice')).toMatch(
      /^state +pending; paused, or its agent is: sluice sessions resume/m,
    );
    expect(await says('sessions list --principal alice')).toMatch(/^held .* pending, paused /m);
    expect(await says('sessions resume held --principal alice')).toBe(
      'held waits for its agent, which is paused\n',
    );
    expect(await says('agents resume slow')).toBe('slow goes on\n');
    expect((await client.final('m1')).outcome).toMatchObject({ status: 'ok' });
    expect(await says('sessions resume held --principal alice')).toBe('held goes on\n');
    expect(await run('agents pause nobody')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no agent "nobody".*sluice agents list/),
    });
  });

  it('X2 sessions of everybody over all pages, filtered, and limited', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const names = Array.from({ length: 103 }, (_, n) => `page-${n}`);
    const client = await talk('page-0', 'm1');
    await client.final('m1');
    for (const session_id of names) {
      await client.hello({ agent_id: 'slow', session_id });
    }
    const all = (await json('sessions list')).map(({ session_id }) => session_id);
    expect(all.filter((id) => names.includes(String(id))).sort()).toEqual([...names].sort());
    expect(await json('sessions list --limit 2')).toHaveLength(2);
    expect(await json('sessions list --principal nobody')).toEqual([]);
    expect(await run('sessions list --principal nobody')).toMatchObject({
      ...{ status: 0, stdout: '', stderr: 'no such sessions\n' },
    });
    const lines = (await run('sessions list')).stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^SESSION +PRINCIPAL +AGENT +STATE +PENDING +HOLDER +USED$/);
    expect(lines.length).toBe(all.length + 1);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(await json('sessions list --state executing')).toEqual([]);
  }, 60_000);

  it('T4 dead letters: listed, sent again, dropped', async () => {
    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    const client = await talk('dies', 'm1', 'm2');
    expect((await client.final('m2', 20_000)).outcome).toMatchObject({ status: 'dead_lettered' });
    const letters = await json('dead-letters list --principal alice');
    expect(letters.map(({ message_id }) => message_id)).toEqual(['m2', 'm1']);
    const [second, first] = letters.map(({ id }) => String(id));
    const table = (await run('dead-letters list')).stdout;
    expect(table).toMatch(/^AGE +ATTEMPTS +REASON +AGENT +PRINCIPAL +ID\n\d+s +1 +\S/);
    expect(table).toContain(second);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    expect(await run(`dead-letters retry ${first}`)).toMatchObject({
      ...{ status: 0, stdout: 'accepted again in session dies, as message m1.retry.1\n' },
    });
    expect((await client.final('m1.retry.1')).outcome).toMatchObject({ status: 'ok' });
    expect(await run(`dead-letters drop ${second}`)).toMatchObject({
      ...{ status: 0, stdout: `dropped ${second}\n` },
    });
    expect(await json('dead-letters list')).toEqual([]);
    expect(await run(`dead-letters drop ${second}`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no such dead letter.*sluice dead-letters list/),
    });
  });

  it('T4 dead letters of an agent: all sent again', async () => {
    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    const client = await talk('dies-too', 'm1', 'm2');
    await client.final('m2', 20_000);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    expect(await run('dead-letters retry --agent slow')).toMatchObject({
      ...{ status: 0, stdout: '2 accepted again\n' },
    });
    expect((await client.final('m2.retry.1')).outcome).toMatchObject({ status: 'ok' });
    expect(await run('dead-letters retry')).toMatchObject({ status: 2 });
  });

  it('D1 a node is told to drain, and ends', async () => {
    const other = await cluster.start();
    await eventually(async () => (await json('nodes')).length === 3, 20_000);
    const { status, stdout } = await run(`nodes drain ${other.nodeId}`);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining(`${other.nodeId} was told to drain`),
    });
    expect((await other.exited).code).toBe(0);
    expect(await run(`nodes drain ${other.nodeId}`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no such node.*sluice nodes/),
    });
  });

  it('C3 ends with 75 when nobody answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    expect(await run('nodes', { SLUICE_URL: url })).toMatchObject({
      ...{ status: 75, stdout: '' },
      stderr: expect.stringMatching(/^sluice: cannot reach http.* ECONNREFUSED .*--url/),
    });
  });

  const refusals: readonly [string, Record<string, string>, number, RegExp][] = [
    ['nodes', { SLUICE_TOKEN: '' }, 1, /answered 401: .*; give a token with SLUICE_TOKEN/],
    ['nodes', { SLUICE_TOKEN: 'wrong-012345' }, 1, /answered 401: .*; give a valid one/],
    [
      'nodes',
      { SLUICE_TOKEN: alice },
      1,
      /answered 403: .*scope "admin" or "operate"; give a token that has it/,
    ],
    ['sessions list --principal bob', { SLUICE_TOKEN: alice }, 1, /answered 403: .*"admin"/],
    ['sessions show nowhere', {}, 1, /answered 404: no such session; .*--principal/],
    ['nodes', { SLUICE_URL: 'nonsense' }, 2, /--url: nonsense is no http/],
    ['nodes drian x', {}, 2, /unknown command 'drian' of sluice nodes \(there is: drain\)/],
    ['sessions lsit', {}, 2, /unknown command 'lsit'\n\(Did you mean list\?\)/],
    ['sessions list --jsn', {}, 2, /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    ['sessions list --limit 0', {}, 2, /'0' is invalid.*whole number of at least 1/],
    ['sessions list --state busy', {}, 2, /Allowed choices are executing, pending, idle/],
    ['sessions show', {}, 2, /missing required argument 'id'\n\(sluice sessions show --help/],
  ];
  it.each(refusals)('X1 X2 %s with %j ends with %i and says why', async (args, env, code, why) => {
    const { status, stdout, stderr } = await run(args, env);
    expect({ status, stdout, stderr }).toEqual({
      ...{ status: code, stdout: '' },
      stderr: expect.stringMatching(why),
    });
    expect(stderr).toMatch(/^sluice: /);
    expect(stderr).not.toMatch(/wrong-012345|alice-0123/);
  });
});
