/** Reads the stream of SESSION_END in the way of each tool of docs/operate/session-end.md. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** In the order of the stream; how the value of each reads, and its type in `payload`. */
const fields: readonly [name: string, text: RegExp, type: string][] = [
  ['v', /^1$/, 'string'],
  ['event_id', /^[\w-]{12}\.[\w.:@-]+:\d+:\d+$/, 'string'],
  ['type', /^SESSION_END$/, 'string'],
  ['session_id', /^(client|operator|drain)$/, 'string'],
  ['agent_id', /^slow$/, 'string'],
  ['principal', /^local$/, 'string'],
  ['reason', /^(Ended by (client|operator)|Force-closed during shutdown after timeout)$/, 'string'],
  ['reason_code', /^(client_end|operator|drain_timeout)$/, 'string'],
  ['had_pending_work', /^(true|false)$/, 'boolean'],
  ['was_executing', /^(true|false)$/, 'boolean'],
  ['pending_count', /^\d+$/, 'number'],
  ['continues', /^(true|false)$/, 'boolean'],
  ['node_id', /^\S+$/, 'string'],
  ['fence', /^\d+$/, 'number'],
  ['cursor', /^\d+$/, 'number'],
  ['epoch', /^\d{16}$/, 'string'],
  ['ts', /^\d{13}$/, 'number'],
  ['payload', /^\{.*\}$/, ''],
];
const names = fields.map(([name]) => name);

type Entry = [id: string, flat: string[]];
const fieldsOf = (flat: readonly string[]) =>
  Object.fromEntries(
    flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : [])),
  );

describe('readers of SESSION_END', () => {
  let redis: TestRedis;
  let client: ReturnType<TestRedis['client']>;
  let cluster: Cluster;
  let node: GatewayProcess;
  /** One end of each reason code. */
  beforeAll(async () => {
    redis = await startRedis();
    client = redis.client();
    cluster = await Cluster.open(redis);
    node = await cluster.start({ gateway: { drain_timeout: '300ms' } });
    cluster.agent.behave(httpBehaviours.hang());
    await cluster.attach(node, { session_id: 'client' });
    await fetch(`${node.url}/v1/sessions/client`, { method: 'DELETE' });
    await cluster.attach(node, { session_id: 'operator' });
    await fetch(`${node.url}/v1/sessions/operator/end`, { method: 'POST' });
    const drained = await cluster.attach(node, { session_id: 'drain' });
    drained.message('cut off', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === 1, 10_000);
    await node.stop();
    await eventually(async () => (await client.xlen(cluster.stream)) === 3, 10_000);
  }, 60_000);
  afterAll(() => cluster.stop());

  it('D4 every entry has every field, as text, in the order of the documents', async () => {
    const entries = await client.xrange(cluster.stream, '-', '+');
    expect(entries.map(([, flat]) => fieldsOf(flat).reason_code).sort()).toEqual([
      ...['client_end', 'drain_timeout', 'operator'],
    ]);
    for (const [, flat] of entries) {
      expect(flat.filter((_, at) => at % 2 === 0)).toEqual(names);
      const values = fieldsOf(flat);
      for (const [name, text] of fields) {
        expect([name, values[name]]).toEqual([name, expect.stringMatching(text)]);
      }
    }
  });

  it('D4 payload is the same with real types, and nothing else', async () => {
    for (const [, flat] of await client.xrange(cluster.stream, '-', '+')) {
      const { payload = '', ...values } = fieldsOf(flat);
      const record: Record<string, unknown> = JSON.parse(payload);
      expect(Object.keys(record).sort()).toEqual(names.filter((name) => name !== 'payload').sort());
      for (const [name, , type] of fields.slice(0, -1)) {
        expect([name, typeof record[name], String(record[name])]).toEqual([
          name,
          type,
          values[name],
        ]);
      }
    }
  });

  it('D4 Grafana: columns by the names and types of the first row hold every row', async () => {
    const typeOf = (text = '') =>
      text !== '' && Number.isFinite(Number(text)) ? 'number' : 'text';
    for (const rows of [
      await client.xrange(cluster.stream, '-', '+'),
      await client.xrevrange(cluster.stream, '+', '-', 'COUNT', 2),
    ]) {
      const [first] = rows.map(([, flat]) => fieldsOf(flat));
      const columns = Object.entries(first ?? {}).map(([name, text]) => [name, typeOf(text)]);
      expect(columns.map(([name]) => name)).toEqual(names);
      for (const [, flat] of rows) {
        const row = fieldsOf(flat);
        expect(Object.keys(row).map((name) => [name, typeOf(row[name])])).toEqual(columns);
      }
    }
  });

  it('D4 Redpanda Connect: the body under body_key, the rest as metadata; its backlog first', async () => {
    const read = async (from: string) => {
      const reply = await client.xreadgroup(
        ...(['GROUP', 'ops', 'connect'] as const),
        ...(['COUNT', 10, 'STREAMS', cluster.stream, from] as const),
      );
      const [[, entries] = ['', []]] = (reply ?? []) as [string, Entry[]][];
      return entries;
    };
    expect(await read('0')).toEqual([]);
    const fresh = await read('>');
    expect(await read('0')).toEqual(fresh); // not acknowledged yet
    const bodies = fresh.map(([, flat]) => {
      const { payload = '', ...metadata } = fieldsOf(flat);
      return { body: JSON.parse(payload), metadata };
    });
    expect(bodies).toHaveLength(3);
    for (const { body, metadata } of bodies) expect(body.event_id).toBe(metadata.event_id);
    expect(await client.xack(cluster.stream, 'ops', ...fresh.map(([id]) => id))).toBe(3);
    expect(await read('0')).toEqual([]);
  });

  it('D4 Argo Events: a group that is there already is read from its place, all fields as values', async () => {
    await client.xgroup('CREATE', cluster.stream, 'argo', '0');
    await expect(client.xgroup('CREATE', cluster.stream, 'argo', '$')).rejects.toThrow(
      'BUSYGROUP Consumer Group name already exists',
    );
    const reply = await client.xreadgroup(
      ...(['GROUP', 'argo', 'argo-events-worker'] as const),
      ...(['COUNT', 10, 'BLOCK', 2_000, 'STREAMS', cluster.stream, '>'] as const),
    );
    const [[stream, entries] = ['', []]] = reply as [string, Entry[]][];
    const events = entries.map(([id, flat]) => ({ stream, id, values: fieldsOf(flat) }));
    expect(events).toHaveLength(3);
    for (const { values } of events) expect(Object.keys(values)).toEqual(names);
  });

  it('D4 KEDA: lag by XINFO GROUPS, pending by XPENDING, length by XLEN', async () => {
    const lag = async () => {
      const groups = (await client.xinfo('GROUPS', cluster.stream)) as string[][];
      return groups.map((flat) => fieldsOf(flat)).find(({ name }) => name === 'keda')?.lag;
    };
    await client.xgroup('CREATE', cluster.stream, 'keda', '0');
    expect(Number(await lag())).toBe(3);
    const range = ['COUNT', 2, 'STREAMS', cluster.stream, '>'] as const;
    await client.xreadgroup('GROUP', 'keda', 'c', ...range);
    expect(Number(await lag())).toBe(1);
    const [pending] = await client.xpending(cluster.stream, 'keda');
    expect(pending).toBe(2);
    expect(await client.xlen(cluster.stream)).toBe(3);
  });
});
