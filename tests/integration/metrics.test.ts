import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { failpointCalls, UNNAMED_CALL } from '@sluice/store';
import { eventually, type GatewayProcess, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { type Sample, scrape } from '../support/cluster/metric-samples.js';

type Row = { readonly name: string; readonly type: string; readonly labels: string };

/** Rows of the tables of docs/reference/metrics.md. */
function documented(): Row[] {
  const text = readFileSync(join(process.cwd(), 'docs', 'reference', 'metrics.md'), 'utf8');
  return [...text.matchAll(/^\| `([^`]+)` \| ([a-z]*) ?\| ([^|]*?) ?\|/gm)].map(
    ([, name = '', type = '', labels = '']) => ({
      ...{ name, type },
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).join(),
    }),
  );
}

describe('metrics', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    const command = ['node', '-e', 'process.stdin.resume()'];
    const agents = { program: { kind: 'command', command } }; // with it each metric has a value
    cluster = await Cluster.open(await startRedis(), { agents });
    node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('hello', { message_id: 'm1' });
    await client.waitFor(({ status }) => status === 'final');
  });
  afterAll(() => cluster.stop());

  it('X6 are those of docs/reference/metrics.md, with its types and labels, and no others', async () => {
    const { types, samples } = await scrape(node.url);
    const rows = documented();
    const wildcards = rows.filter(({ name }) => name.endsWith('*'));
    const isDefault = (name: string) =>
      wildcards.some((row) => name.startsWith(row.name.slice(0, -1)));
    const labelsOf = (name: string) => {
      const own = samples.filter((it) => it.name.replace(/_(bucket|sum|count)$/, '') === name);
      const names = (own.length > 0 ? own : samples.filter((it) => it.name === name)).flatMap(
        ({ labels }) => Object.keys(labels),
      );
      return [...new Set(names)].filter((label) => label !== 'le').join();
    };
    const served = [...types]
      .filter(([name]) => !isDefault(name))
      .map(([name, type]) => ({ name, type, labels: labelsOf(name) }));
    const byName = (a: Row, b: Row) => (a.name < b.name ? -1 : 1);
    const told = rows.filter((row) => !wildcards.includes(row));
    expect(served.sort(byName)).toEqual(told.sort(byName));
    expect(
      wildcards.every(({ name }) =>
        [...types.keys()].some((it) => it.startsWith(name.slice(0, -1))),
      ),
    ).toBe(true);
    expect(types.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
  });

  it('D4 are there also when somebody has deleted the stream of SESSION_END', async () => {
    await cluster.redis.client().del(cluster.stream);
    await eventually(async () => {
      const { samples } = await scrape(node.url);
      expect(samples.map(({ name }) => name)).toContain('sluice_cluster_pending_messages');
      expect(samples.filter(({ labels }) => labels.group !== undefined)).toEqual([]);
    }, 10_000);
  });

  it('X6 have no more series after 1,000 sessions of 20 principals, each with ids of its own', async () => {
    const seriesOf = ({ name, labels }: Sample) => `${name} ${JSON.stringify(labels)}`;
    const before = await scrape(node.url);
    const known = new Set(before.samples.map(seriesOf));
    for (let first = 0; first < 1_000; first += 50) {
      const talks = Array.from({ length: 50 }, async (_, at) => {
        const id = `many-${first + at}`;
        const body = JSON.stringify({ content: 'x', agent_id: 'slow', message_id: `m-${id}` });
        const url = `${node.url}/v1/sessions/${id}/messages?wait=30&principal=p${first / 50}`;
        return (await fetch(url, { method: 'POST', body })).status;
      });
      expect(new Set(await Promise.all(talks))).toEqual(new Set([200]));
    }
    const after = await scrape(node.url);
    const rise = (name: string) => after.sum(name) - before.sum(name);
    expect([rise('sluice_messages_total'), rise('sluice_turns_total')]).toEqual([1_000, 1_000]);
    // Only scripts that are called for the first time may add series: their number is bounded.
    const fresh = after.samples.filter((sample) => !known.has(seriesOf(sample)));
    expect(fresh.filter(({ labels }) => labels.call === undefined)).toEqual([]);
    const calls = new Set(after.samples.flatMap(({ labels }) => labels.call ?? []));
    const named = [...failpointCalls, UNNAMED_CALL];
    expect([...calls].filter((call) => !named.includes(call))).toEqual([]);
  }, 60_000);
});
