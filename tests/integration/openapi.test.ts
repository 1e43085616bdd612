import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { eventually, type GatewayProcess, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { type Answer, Described, type Document } from '../support/documents/openapi-document.js';
import { nameOf, routeTable } from '../support/edge/route-table.js';

const alice = 'alice-0123456789abcdef';
const reader = 'reader-0123456789abcd';
const ops = 'ops-0123456789abcdef00';
const operator = 'operator-0123456789abc';
const tokens = [
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
  { token: reader, principal: 'reader', scopes: ['read'] },
  { token: ops, principal: 'ops', scopes: ['admin'] },
  { token: operator, principal: 'operator', scopes: ['operate'] },
];

type Request = { readonly token?: string | undefined; readonly body?: unknown };

/** A valid body for each operation that needs one: without it the operation would answer 400 to everything. */
const bodies: Readonly<Record<string, unknown>> = {
  'PATCH /v1/sessions/{id}': { metadata: {} },
  'POST /v1/sessions/{id}/messages': { content: 'hello' },
};

describe('the OpenAPI document', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let described: Described;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { auth: { tokens }, rate_limit: { requests_per_second: 0 } },
      slow: { retry: { for: '0s' } },
      agents: { echo: { kind: 'echo' } },
    });
    node = await cluster.start();
    const response = await fetch(`${node.url}/openapi.json`); // X1: without credentials
    described = new Described((await response.json()) as Document);
  });
  afterAll(() => cluster.stop());

  async function ask(method: string, path: string, { token, body }: Request): Promise<Answer> {
    const response = await fetch(`${node.url}${path}`, {
      method,
      ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
    const isStream = type === 'text/event-stream';
    if (isStream) await response.body?.cancel();
    const text = isStream ? '' : await response.text();
    const parsed: unknown = type === 'application/json' ? JSON.parse(text) : text;
    return { status: response.status, type, body: parsed };
  }
  /** Asks for something that does not exist: a fault in the request is reported before that. */
  function askNowhere(name: string, { query = '', ...request }: Request & { query?: string }) {
    const [method = '', path = ''] = name.split(' ');
    return ask(method, path.replace('{id}', 'nowhere') + query, {
      body: bodies[name],
      ...request,
    });
  }

  it('X1 is valid OpenAPI 3.1, and read without credentials', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(described.document));
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(validator.version).toBe('3.1');
  });

  it('X1 has every path that the router has, and no other', () => {
    const table = routeTable().map(nameOf);
    expect(described.operations.map(({ name }) => name).sort()).toEqual(table.sort());
  });

  it('X1 X2 names the scope that each path needs', async () => {
    for (const { name, operation } of described.operations) {
      const scopes = described.scopesOf(operation);
      if (scopes.length === 0) continue;
      const anonymous = await askNowhere(name, {});
      expect([name, anonymous.status]).toEqual([name, 401]);
      expect(described.faultOf(name, anonymous)).toBeUndefined();
      const having: Readonly<Record<string, readonly string[]>> = {
        ...{ read: [reader, alice, ops], write: [alice, ops] },
        ...{ admin: [ops], operate: [operator, ops] },
      };
      const isAllowed = scopes.flatMap((scope) => having[scope] ?? []);
      for (const token of [reader, alice, ops, operator]) {
        const answer = await askNowhere(name, { token });
        const is = { name, token, refused: answer.status === 403 };
        expect(is).toEqual({ name, token, refused: !isAllowed.includes(token) });
        expect(described.faultOf(name, answer)).toBeUndefined();
      }
    }
  });

  const values = [
    ...[' ', 'x', '0', '1', '1.5', '100', '101', '1000', '1001', '-1', '1e1', '9'.repeat(20)],
    ...['executing', 'u~m1~1795384129742', '1-1', '1795384129742~jbkqQz1mTtLr.s1'],
    ...['x'.repeat(128), 'x'.repeat(129), 'x'.repeat(257), '1795384129742-0'],
  ];
  it('S5 takes those values of parameters that the gateway takes', async () => {
    const seen = new Set<string>();
    for (const { name, operation } of described.operations) {
      for (const parameter of operation.parameters ?? []) {
        if (parameter.in !== 'query') continue;
        for (const value of values) {
          const query = `?${parameter.name}=${encodeURIComponent(value)}`;
          const answer = await askNowhere(name, { query, token: ops });
          const isTaken = described.takesParameter(parameter, value);
          seen.add(`${parameter.name} ${isTaken}`);
          const is = { name, query, taken: answer.status !== 400 };
          expect(is).toEqual({ name, query, taken: isTaken });
          expect(described.faultOf(name, answer)).toBeUndefined();
        }
      }
    }
    expect([...seen]).toEqual(
      expect.arrayContaining(
        ['principal', 'limit', 'after', 'before', 'state', 'agent_id', 'since', 'wait'].flatMap(
          (name) => [`${name} true`, `${name} false`],
        ),
      ),
    );
  });

  it('S5 takes those bodies that the gateway takes', async () => {
    const sent = [
      ...[{}, [], 'x', 1, null, { metadata: {} }, { metadata: { a: null } }, { metadata: [] }],
      ...[{ metadata: {}, more: 1 }, { content: 'x' }, { content: '' }, { content: { a: 1 } }],
      ...[{ text: 'x' }, { text: '' }, { content: 'x', mode: 'never' }, { content: 1 }],
      ...[
        { content: 'x', agent_id: '' },
        { content: 'x', message_id: 'a b' },
      ],
      ...[
        { content: 'x', more: 1 },
        { type: 'message', content: 'x' },
        { type: 'x', content: 'x' },
      ],
    ];
    for (const name of Object.keys(bodies)) {
      const taken: boolean[] = [];
      for (const body of sent) {
        const answer = await askNowhere(name, { body, token: ops });
        taken.push(described.takesBody(name, body));
        const is = { name, body, taken: answer.status !== 400 };
        expect(is).toEqual({ name, body, taken: taken.at(-1) });
        expect(described.faultOf(name, answer)).toBeUndefined();
      }
      expect([taken.includes(true), taken.includes(false)]).toEqual([true, true]);
    }
  });

  it('X1 says what every path answers', async () => {
    const met = new Map<string, Set<number>>();
    async function meet(name: string, path: string, request: Request = {}) {
      const [method = ''] = name.split(' ');
      const answer = await ask(method, path, { token: ops, ...request });
      expect(described.faultOf(name, answer)).toBeUndefined();
      met.set(name, (met.get(name) ?? new Set()).add(answer.status));
      return Object(answer.body);
    }
    for (const path of [
      '/health',
      '/ready',
      '/live',
      '/info',
      '/metrics',
      '/openapi.json',
      '/ws',
    ]) {
      await meet(`GET ${path}`, path);
    }
    const message = { agent_id: 'slow', content: 'hello', metadata: { n: 1 }, message_id: 'm1' };
    const at = '/v1/sessions/{id}';
    await meet(`POST ${at}/messages`, '/v1/sessions/s1/messages', { body: message });
    const waiting = '/v1/sessions/s1/messages?wait=20';
    await meet(`POST ${at}/messages`, waiting, { body: { content: { a: 1 } } });
    await meet(`POST ${at}/messages`, waiting, { body: message }); // a repeat
    await meet(`PATCH ${at}`, '/v1/sessions/s1', { body: { metadata: { title: 'x' } } });
    await meet(`GET ${at}`, '/v1/sessions/s1');
    await meet(`GET ${at}`, '/v1/sessions/s1?limit=1');
    await meet(`GET ${at}/events`, '/v1/sessions/s1/events');
    await meet('GET /v1/sessions', '/v1/sessions?limit=1');
    await meet(`POST ${at}/abort`, '/v1/sessions/s1/abort');
    for (const verb of ['pause', 'resume']) {
      await meet(`POST ${at}/${verb}`, `/v1/sessions/s1/${verb}`);
      await meet(`POST /v1/agents/{id}/${verb}`, `/v1/agents/slow/${verb}`);
    }

    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    for (const message_id of ['d1', 'd2']) {
      await meet(`POST ${at}/messages`, waiting, { body: { content: 'poison', message_id } });
    }
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const { dead_letters } = await meet('GET /v1/dead-letters', '/v1/dead-letters');
    const [first, second] = (dead_letters as { id: string }[]).map(({ id }) => id);
    const letter = '/v1/dead-letters/{id}';
    await meet('POST /v1/dead-letters/retry', '/v1/dead-letters/retry?agent=nobody');
    await meet(`POST ${letter}/retry`, `/v1/dead-letters/${first}/retry`);
    await meet(`DELETE ${letter}`, `/v1/dead-letters/${second}`);

    await meet(`POST ${at}/end`, '/v1/sessions/s1/end');
    await meet(`POST ${at}/messages`, '/v1/sessions/s2/messages', { body: message });
    await meet(`DELETE ${at}`, '/v1/sessions/s2');
    await meet('GET /v1/session-ends', '/v1/session-ends?limit=1');
    await meet('GET /v1/agents', '/v1/agents');
    const other = await cluster.start({ gateway: { roles: ['edge'] } });
    await eventually(async () => {
      const { nodes } = await meet('GET /v1/nodes', '/v1/nodes');
      return (nodes as unknown[]).length === 2;
    });
    await meet('POST /v1/nodes/{id}/drain', `/v1/nodes/${other.nodeId}/drain`);
    expect(await other.exited).toMatchObject({ code: 0 });

    const due = described.operations.flatMap(({ name, operation }) =>
      Object.keys(operation.responses).flatMap((status) =>
        status.startsWith('2') ? [`${name} ${status}`] : [],
      ),
    );
    const done = [...met].flatMap(([name, all]) => [...all].map((status) => `${name} ${status}`));
    expect(due.filter((it) => !done.includes(it))).toEqual([]);
  });
});
