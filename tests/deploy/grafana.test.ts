import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { alerts } from './alert-rules.js';
import { services } from './compose-file.js';
import { all, board, dashboardFile, drawn, filled, queries, rows } from './dashboard.js';
import { programs } from './prometheus-programs.js';
import { aggregationsOfAlike } from './promql.js';

const thresholdOf = (alert: string) => {
  const { expr = '' } = alerts.find((it) => it.alert === alert) ?? {};
  return Number(/>=? ([\d.]+)\s*$/.exec(expr)?.[1]);
};

describe(dashboardFile, () => {
  it('has the rows in the order in which one looks', () => {
    expect(rows).toEqual([
      'Overview',
      'Traffic',
      'Latency',
      'Turns',
      'Leases and fences',
      'Drain and rollouts',
      'SESSION_END and dead letters',
      'Redis',
      'Node health',
    ]);
  });

  it('has panels with ids of their own that do not lie on one another', () => {
    const ids = all.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    const cells = all.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`);
    });
    expect(cells.length).toBe(new Set(cells).size);
  });

  it('gives the queries of a panel their letters', () => {
    for (const { targets } of drawn) {
      const letters = targets.map((_, at) => String.fromCharCode(65 + at));
      expect(targets.map(({ refId }) => refId)).toEqual(letters);
    }
  });

  it('uses variables that it has, and has none that it does not use', () => {
    const names = board.templating.list.map(({ name }) => name);
    const text = JSON.stringify([all, board.templating.list.map(({ query }) => query)]);
    const used = [...text.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).toEqual([...names, '__rate_interval'].sort());
  });

  it('asks for one job and namespace everywhere, and for the chosen nodes where it counts nodes', () => {
    for (const { who, expr } of queries) {
      if (who === 'annotation') continue;
      const selectors = expr.match(/\{[^}]*\}/g) ?? [];
      expect({ who, count: selectors.length }).not.toEqual({ who, count: 0 });
      for (const selector of selectors) {
        expect(selector).toContain('job="$job",namespace=~"$namespace"');
      }
    }
  });

  it('never sums cluster metrics over the nodes', () => {
    const alike = queries.filter(({ expr }) => expr.includes('sluice_cluster_'));
    expect(alike.length).toBeGreaterThan(10);
    for (const { expr } of alike) {
      expect({ expr, by: new Set(aggregationsOfAlike(expr)) }).toEqual({
        expr,
        by: new Set(['max']),
      });
    }
    expect(aggregationsOfAlike('sum(sluice_cluster_nodes)')).toEqual(['sum']);
    expect(aggregationsOfAlike('(sluice_cluster_nodes)')).toEqual([undefined]);
    expect(aggregationsOfAlike('sum(max by (a, b) ((x) + sluice_cluster_y))')).toEqual(['max']);
  });

  it('draws the line where the alert begins that the description names', () => {
    const lined = drawn.filter(({ description }) => /line is where/.test(description));
    expect(lined.length).toBeGreaterThan(2);
    for (const { description, fieldConfig } of lined) {
      const [alert = ''] = /Sluice\w+/.exec(description) ?? [];
      expect(fieldConfig.defaults.thresholds.steps.at(-1)?.value).toBe(thresholdOf(alert));
    }
    const named = drawn.flatMap(({ description }) => description.match(/Sluice[A-Z]\w+/g) ?? []);
    expect(named.filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
  });
});

(programs.promtool ? describe : describe.skip)('promtool', () => {
  it('reads every query of the dashboard', () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-queries-'));
    try {
      const file = join(dir, 'queries.yml');
      const check = (exprs: readonly string[]) => {
        const rules = exprs.map((expr, at) => ({ record: `query:${at}`, expr: filled(expr) }));
        writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
        const options = { encoding: 'utf8', timeout: 30_000, stdio: 'pipe' } as const;
        return execFileSync(programs.promtool ?? '', ['check', 'rules', file], options);
      };
      const exprs = queries.map(({ expr }) => expr);
      expect(check(exprs)).toContain(`${exprs.length} rules found`);
      expect(() => check([`${exprs[0]}(`])).toThrow();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('deploy/grafana/provisioning', () => {
  const read = (file: string): unknown =>
    parse(readFileSync(join('deploy/grafana/provisioning', file), 'utf8'));

  it('leads to the Prometheus of docker-compose.yml, and to the dashboard where it is mounted', () => {
    const sources = z.strictObject({
      apiVersion: z.literal(1),
      datasources: z.tuple([
        z.looseObject({ type: z.literal('prometheus'), uid: z.string(), url: z.string() }),
      ]),
    });
    const [{ url }] = sources.parse(read('datasources/prometheus.yml')).datasources;
    const { hostname, port } = new URL(url);
    expect(services[hostname]?.image).toContain('prometheus');
    expect(services[hostname]?.ports.join()).toContain(`:${port}`);
    const providers = z.strictObject({
      apiVersion: z.literal(1),
      providers: z.tuple([
        z.looseObject({ type: z.literal('file'), options: z.strictObject({ path: z.string() }) }),
      ]),
    });
    const [{ options }] = providers.parse(read('dashboards/sluice.yml')).providers;
    const mounts = services.grafana?.volumes ?? [];
    expect(mounts).toContain(`./deploy/grafana/dashboards:${options.path}:ro`);
    expect(mounts).toContain('./deploy/grafana/provisioning:/etc/grafana/provisioning:ro');
  });
});
