/** What a node answers at `/metrics`, decoded. */
import { eventually } from '@sluice/testkit';

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

export type Scrape = {
  /** Type by name, also of what has no sample now. */
  readonly types: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
  /** Sum of the samples of this name that have these labels; 0: there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
};

const sampleLine = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/;

export function decodeMetrics(text: string): Scrape {
  const lines = text.split('\n');
  const types = new Map(
    lines.flatMap((line) => {
      const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      return name === '' ? [] : [[name, type] as const];
    }),
  );
  const samples = lines.flatMap((line) => {
    const [, name = '', inside = '', value = ''] = sampleLine.exec(line) ?? [];
    if (name === '') return [];
    const labels = [...inside.matchAll(/([a-z_]+)="([^"]*)"/g)];
    const pairs = labels.map(([, label = '', of = '']) => [label, of] as const);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
  const sum = (name: string, wanted: Readonly<Record<string, string>> = {}) =>
    samples
      .filter((sample) => sample.name === name)
      .filter(({ labels }) => Object.entries(wanted).every(([label, of]) => labels[label] === of))
      .reduce((all, { value }) => all + value, 0);
  return { types, samples, sum };
}

export async function scrape(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers });
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return decodeMetrics(await response.text());
}

type Labels = Readonly<Record<string, string>>;

/** Longer than the cluster is asked anew. */
const RISE_MS = 10_000;

/** Waits until a metric of the node is by so much above what it is now. */
export async function risesOf(url: string) {
  const before = await scrape(url);
  return async (name: string, by: number, labels: Labels = {}): Promise<void> => {
    await eventually(async () => {
      const { samples, sum } = await scrape(url);
      const rise = sum(name, labels) - before.sum(name, labels);
      if (rise === by) return;
      const now = samples.filter((sample) => sample.name === name);
      throw new Error(`${name} rose by ${rise}, not by ${by}: ${JSON.stringify({ labels, now })}`);
    }, RISE_MS);
  };
}
