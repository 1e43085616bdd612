import { sleep } from '@sluice/runtime';
import { isObject } from '@sluice/testkit';

/** Largest difference between the fullest and the emptiest node, as a share of the mean. */
const APART_MAX = 0.25;
/** Nodes report their load with each beat, and a connection that moves is away for a moment. */
const SETTLE_MS = 3_000;
const LOOK_MS = 250;

export type Levelling = {
  /** Connections of each node at the beginning. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Time until they were level; undefined: longer than `max_connection_age` + 10 % and 3 s. */
  readonly ms: number | undefined;
};

function isLevel(counts: readonly number[]): boolean {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return mean > 0 && Math.max(...counts) - Math.min(...counts) <= APART_MAX * mean;
}

/** Connections of each live node, as the nodes report them. */
async function connectionsOf(url: string): Promise<number[]> {
  const body: unknown = await (await fetch(`${url}/v1/nodes`)).json();
  const nodes: unknown = isObject(body) ? body.nodes : undefined;
  return (Array.isArray(nodes) ? nodes : [])
    .filter(({ state }) => state === 'live')
    .map(({ load }) => Number(load.connections));
}

/** Waits until the connections are spread evenly again over `nodes` nodes. */
export async function awaitLevel(
  url: string,
  { nodes, maxAgeMs }: { nodes: number; maxAgeMs: number },
): Promise<Levelling> {
  const startedMs = performance.now();
  const before = await connectionsOf(url);
  for (;;) {
    const after = await connectionsOf(url);
    const ms = performance.now() - startedMs;
    if (after.length === nodes && isLevel(after)) return { before, after, ms };
    if (ms > maxAgeMs * 1.1 + SETTLE_MS) return { before, after, ms: undefined };
    await sleep(LOOK_MS);
  }
}
