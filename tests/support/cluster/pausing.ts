import { eventually, type GatewayProcess } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import type { Cluster } from './cluster.js';

const OFTEN = 5;

/** `POST /v1/<path>`, as an operator; answers status and body. */
export async function post(
  node: GatewayProcess,
  path: string,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${node.url}/v1/${path}`, { method: 'POST' });
  return { status: response.status, body: Object(await response.json()) };
}

/** Nobody holds the session; what waits in it is these messages. */
export async function standsWith(
  cluster: Cluster,
  client: Redis,
  { session, waiting }: { session: string; waiting: readonly string[] },
): Promise<void> {
  const { state } = cluster.sessionKeys(session);
  await eventually(async () => {
    const isFree = (await client.hget(state, 'holder')) === null;
    return isFree && (await cluster.inbox(session)).join() === waiting.join();
  }, 10_000);
}

/**
 * The sweep has come to the session and left it: whatever could have begun has begun by then. It comes
 * again in a minute, as if it had been there often.
 */
export async function isLeftBySweep(cluster: Cluster, client: Redis, session: string) {
  const { state } = cluster.sessionKeys(session);
  const before = OFTEN + Number((await client.hget(state, 'sweeps')) ?? 0);
  await client.hset(state, 'sweeps', before);
  await client.zadd(cluster.sessionKeys(session).pending, 'XX', 1, idIn(state));
  await eventually(async () => Number(await client.hget(state, 'sweeps')) > before, 15_000);
}

/** `<prefix>:{p17}:s:<id>:state` -> `<id>` */
const idIn = (state: string) => /:s:(.*):state$/.exec(state)?.[1] ?? '';
