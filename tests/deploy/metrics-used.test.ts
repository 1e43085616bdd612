import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { alerts } from './alert-rules.js';
import { drawn, queries } from './dashboard.js';
import { findMetric, metrics } from './metric-names.js';
import { labelsIn, labelsOfText, metricsIn } from './promql.js';

/** Labels that Prometheus itself adds to a target. */
const ofTarget = ['job', 'namespace', 'instance'];

type Use = { readonly who: string; readonly expr: string; readonly texts: readonly string[] };

const ofPanels: readonly Use[] = drawn.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({ who: title, expr, texts: [legendFormat] })),
);
const ofAlerts: readonly Use[] = alerts.map(({ alert, expr, annotations }) => ({
  who: alert,
  expr,
  texts: Object.values(annotations),
}));
const uses = [...ofPanels, ...ofAlerts];

function faultsOf({ who, expr, texts }: Use): string[] {
  const names = metricsIn(expr);
  const known = names.map((name) => ({ name, metric: findMetric(name) }));
  const buckets = expr.includes('_bucket') ? ['le'] : [];
  const allowed = [...ofTarget, ...buckets, ...known.flatMap(({ metric }) => metric?.labels ?? [])];
  const labels = [...labelsIn(expr), ...texts.flatMap(labelsOfText)];
  return [
    ...known.filter(({ metric }) => !metric).map(({ name }) => `${who}: no metric ${name}`),
    ...labels.filter((it) => !allowed.includes(it)).map((it) => `${who}: no label ${it}`),
  ];
}

describe('docs/reference/metrics.md', () => {
  it('has every metric and label that the dashboard and the alert rules ask for', () => {
    expect(metrics.length).toBeGreaterThan(40);
    expect(uses.flatMap(faultsOf)).toEqual([]);
  });

  it('has nothing that no panel shows', () => {
    const shown = queries.flatMap(({ expr }) => metricsIn(expr)).map(findMetric);
    expect(metrics.filter((it) => !shown.includes(it)).map(({ name }) => name)).toEqual([]);
  });

  it('has what docs/operate/operations.md and docs/operate/kubernetes.md name', () => {
    const pages = ['operations', 'kubernetes'].map((name) =>
      readFileSync(`docs/operate/${name}.md`, 'utf8'),
    );
    const named = pages.flatMap(metricsIn).filter((name) => !name.endsWith('_'));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !findMetric(name))).toEqual([]);
  });

  it('finds, in the check itself, a metric, a label and a legend that do not exist', () => {
    const expr = 'sum by (cal) (rate(sluice_redis_calls_seconds_bucket[1m]))';
    expect(faultsOf({ who: 'x', expr, texts: ['{{call}} {{ $labels.instance }}'] })).toEqual([
      'x: no metric sluice_redis_calls_seconds',
      'x: no label cal',
      'x: no label call',
    ]);
  });

  it('rates counters and the parts of histograms, and nothing else', () => {
    for (const { who, expr } of uses) {
      for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g)) {
        const type = findMetric(metricsIn(name)[0] ?? '')?.type;
        const fits = name.endsWith('_total') ? ['counter', ''] : ['histogram'];
        expect({ who, name, type }).toEqual({
          who,
          name,
          type: expect.stringMatching(`^(${fits.join('|')})$`),
        });
      }
    }
  });
});
