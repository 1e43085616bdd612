import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The name of a metric, which ends in its unit, and a sentence of help. */
export type Named = { readonly name: string; readonly help: string };

/** Counts one of a kind; kinds are few and known beforehand, never ids. */
export type CountBy<Kind extends string> = (kind: Kind) => void;

/** Observes a time that was measured in milliseconds, as seconds. */
export type ObserveMs = (ms: number) => void;

export function counter(registry: Registry, named: Named): (more?: number) => void {
  const counted = new Counter({ ...named, registers: [registry] });
  return (more = 1) => counted.inc(more);
}

/** Every kind starts at 0, so that its first count is visible as a rise. */
export function counterBy<Kind extends string>(
  registry: Registry,
  { label, kinds, ...named }: Named & { label: string; kinds: readonly Kind[] },
): CountBy<Kind> {
  const counted = new Counter({ ...named, labelNames: [label], registers: [registry] });
  const children = new Map<Kind, Counter.Internal>();
  const childOf = (kind: Kind) => {
    const child = counted.labels(kind);
    children.set(kind, child);
    return child;
  };
  for (const kind of kinds) childOf(kind).inc(0);
  // The child is kept: looking it up by its label costs more than counting.
  return (kind) => (children.get(kind) ?? childOf(kind)).inc();
}

export function histogram(
  registry: Registry,
  { buckets, ...named }: Named & { buckets: readonly number[] },
): (value: number) => void {
  const observed = new Histogram({ ...named, buckets: [...buckets], registers: [registry] });
  return (value) => observed.observe(value);
}

export function histogramMs(
  registry: Registry,
  options: Named & { buckets: readonly number[] },
): ObserveMs {
  const observe = histogram(registry, options);
  return (ms) => observe(ms / 1_000);
}

/** The same for each kind of a label. */
export function histogramMsBy<Kind extends string>(
  registry: Registry,
  { label, buckets, ...named }: Named & { label: string; buckets: readonly number[] },
): (kind: Kind, ms: number) => void {
  const observed = new Histogram({
    ...{ ...named, labelNames: [label], buckets: [...buckets], registers: [registry] },
  });
  const children = new Map<Kind, Histogram.Internal<string>>();
  return (kind, ms) => {
    let child = children.get(kind);
    if (!child) {
      child = observed.labels(kind);
      children.set(kind, child);
    }
    child.observe(ms / 1_000);
  };
}

/** A gauge whose value is read at each scrape. */
export function gauge(registry: Registry, { read, ...named }: Named & { read(): number }): void {
  new Gauge({
    ...named,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** The same for each kind of a label; a kind that `read` no longer returns disappears. */
export function gaugeBy(
  registry: Registry,
  {
    label,
    read,
    ...named
  }: Named & { label: string; read(): Readonly<Record<string, number>> | undefined },
): void {
  new Gauge({
    ...named,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [kind, value] of Object.entries(read() ?? {})) this.set({ [label]: kind }, value);
    },
  });
}

/** A gauge that has no value, and no line, while `read` returns undefined. */
export function gaugeIfKnown(
  registry: Registry,
  { read, ...named }: Named & { read(): number | undefined },
): void {
  new Gauge({
    ...named,
    registers: [registry],
    collect() {
      const value = read();
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}
