import type { Registry } from 'prom-client';

type Labels = Readonly<Record<string, string | number | undefined>>;

/** The current value of a counter, summed over the label values that `matches` accepts. */
export async function totalOf(
  registry: Registry,
  name: string,
  isCounted: (labels: Labels) => boolean = () => true,
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  const counted = metric?.values.filter(({ labels }) => isCounted(labels)) ?? [];
  return counted.reduce((sum, { value }) => sum + value, 0);
}
