import { monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { type RedisAddress, redisOptions } from '../redis/address.js';
import { probeWrite } from '../redis/connections-watch.js';
import { isNearlyFull } from '../redis/memory.js';
import { type Refusal, serverRefusal } from '../redis/server-check.js';
import { clockSkewOf, lookOnce } from '../server/one-look.js';
import { serverTitle } from '../server/server-info.js';

const LIMIT_MS = 3_000;

/** What `sluice doctor` judges a member of a quorum by. */
export type MemberReport = {
  /** `Redis 7.0.15`, `Valkey 8.1.1`. */
  readonly server: string;
  /** All of its INFO. */
  readonly info: string;
  /** Why it cannot be a member; undefined: it can. */
  readonly refusal: Refusal | undefined;
  /** What it said when a script wrote there; undefined: it may. */
  readonly refusedWrite: string | undefined;
  readonly isFull: boolean;
  readonly latencyMs: number;
  /** Its clock minus the clock of this machine; NaN: this user may not ask. */
  readonly clockSkewMs: number;
};

/** Looks at a member over a connection of its own, within 3 s. Rejects with the reason when it cannot. */
export function inspectMember(address: RedisAddress, prefix: string): Promise<MemberReport> {
  return lookOnce(redisOptions(address), { limitMs: LIMIT_MS }, (client) =>
    inspect(client, prefix),
  );
}

async function inspect(client: Redis, prefix: string): Promise<MemberReport> {
  const info = await client.info();
  const refusal = serverRefusal(info);
  const sentMs = monotonicMs();
  await client.ping();
  const latencyMs = monotonicMs() - sentMs;
  const refusedWrite = refusal ? undefined : await refusalOfWrite(client, `${prefix}:pulse`);
  const clockSkewMs = await clockSkewOf(client).catch(() => Number.NaN);
  const isFull = isNearlyFull(info);
  return {
    server: serverTitle(info),
    ...{ info, refusal, refusedWrite, isFull, latencyMs, clockSkewMs },
  };
}

const refusalOfWrite = (client: Redis, key: string) =>
  probeWrite(client, key).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
