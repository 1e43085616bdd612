import type { Registry } from 'prom-client';

type Labels = Readonly<Record<string, string | number | undefined>>;

/** A counter as it stands, summed over those of its labels that count. */
export async function totalOf(
  registry: Registry,
  name: string,
  isCounted: (labels: Labels) => boolean = () => true,
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  const counted = metric?.values.filter(({ labels }) => isCounted(labels)) ?? [];
  return counted.reduce((sum, { value }) => sum + value, 0);
}
