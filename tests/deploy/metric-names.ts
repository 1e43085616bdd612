/** The tables of docs/reference/metrics.md: every metric of a node, with its type and labels. */
import { readFileSync } from 'node:fs';

export type Metric = {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
};

const quoted = (cell = '') => [...cell.matchAll(/`([\w*]+)`/g)].map(([, word = '']) => word);

export const metrics: readonly Metric[] = readFileSync('docs/reference/metrics.md', 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .flatMap(([, name, type = '', labels]) => {
    const [known = ''] = quoted(name);
    return /^(sluice|nodejs|process)_/.test(known)
      ? [{ name: known, type, labels: quoted(labels) }]
      : [];
  });

/** Rows such as `process_*` stand for the metrics of prom-client, whose labels are not checked. */
export const findMetric = (name: string): Metric | undefined =>
  metrics.find((it) => it.name === name) ??
  metrics.find((it) => it.name.endsWith('*') && name.startsWith(it.name.slice(0, -1)));
