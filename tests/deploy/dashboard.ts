/** The dashboard of Grafana, decoded as far as its queries need. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const dashboardFile = 'deploy/grafana/dashboards/sluice.json';

/** Grafana's ids of units. */
const unit = z.enum(['none', 'short', 's', 'bytes', 'percentunit', 'ops', 'reqps']);
const source = z.strictObject({ type: z.literal('prometheus'), uid: z.literal(`\${datasource}`) });
const place = z.strictObject({ h: z.number(), w: z.number(), x: z.number(), y: z.number() });

const row = z.looseObject({
  id: z.number(),
  type: z.literal('row'),
  title: z.string(),
  gridPos: place,
});
const panel = z.looseObject({
  id: z.number(),
  type: z.enum(['timeseries', 'stat']),
  title: z.string(),
  description: z.string(),
  datasource: source,
  gridPos: place,
  fieldConfig: z.looseObject({
    defaults: z.looseObject({
      unit,
      thresholds: z.looseObject({
        steps: z.array(z.looseObject({ value: z.number().nullable() })),
      }),
    }),
  }),
  targets: z
    .array(
      z.looseObject({
        refId: z.string(),
        datasource: source,
        expr: z.string(),
        legendFormat: z.string(),
      }),
    )
    .min(1),
});
export type Panel = z.output<typeof panel>;

const variable = z.looseObject({
  name: z.string(),
  type: z.enum(['datasource', 'query']),
  query: z.union([z.string(), z.looseObject({ query: z.string() })]),
});

const dashboard = z.looseObject({
  uid: z.string(),
  title: z.string(),
  // The version of Grafana 10.3; later releases migrate it when they read it.
  schemaVersion: z.literal(39),
  annotations: z.strictObject({
    list: z.array(z.looseObject({ datasource: source, expr: z.string() })),
  }),
  templating: z.strictObject({ list: z.array(variable) }),
  panels: z.array(z.discriminatedUnion('type', [row, panel])),
});

const { panels, ...rest } = dashboard.parse(JSON.parse(readFileSync(dashboardFile, 'utf8')));
export const board = rest;
export const all = panels;
export const rows = panels.filter((it) => it.type === 'row').map(({ title }) => title);
export const drawn = panels.filter((it): it is Panel => it.type !== 'row');

/** All queries, each with the title of its panel, or 'annotation'. */
export const queries: readonly { readonly who: string; readonly expr: string }[] = [
  ...drawn.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ who: title, expr }))),
  ...board.annotations.list.map(({ expr }) => ({ who: 'annotation', expr })),
];

/** A query with Grafana's variables filled in: any node of Compose, where no namespace is set. */
export const filled = (expr: string) =>
  expr
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$job', 'sluice')
    .replaceAll('$namespace', '')
    .replaceAll('$instance', '.+');
