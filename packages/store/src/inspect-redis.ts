import type { Durability } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { makeKeys } from './keys/keys.js';
import { plainWords } from './primary/sentinel.js';
import { connectionOptions, type RedisAddress } from './redis/address.js';
import { durabilityFault } from './redis/durability.js';
import { explained } from './redis/greeting.js';
import { isNearlyFull } from './redis/memory.js';
import { type Refusal, serverRefusal } from './redis/server-check.js';
import { missingRight } from './rights/rights.js';
import { clockSkewOf, lookOnce } from './server/one-look.js';
import { serverTitle } from './server/server-info.js';

const LIMIT_MS = 3_000;
const PINGS = 20;
/** What INFO does not say, and the checks of `sluice doctor` ask for. */
const SETTINGS = [
  ...['save', 'appendfsync', 'min-replicas-to-write', 'min-replicas-max-lag'],
  'cluster-require-full-coverage',
] as const;

/** What `sluice doctor` judges a Redis by. */
export type RedisReport = {
  /** `Redis 7.0.15`, `Valkey 8.1.1`. */
  readonly server: string;
  /** All of its INFO. */
  readonly info: string;
  /** What CONFIG GET says of `SETTINGS`; empty where it is forbidden, as on managed services. */
  readonly settings: Readonly<Record<string, string>>;
  /** Why a node would not start on it; undefined: it would. */
  readonly refusal: Refusal | undefined;
  /** Why it cannot reach the level that is asked for; null: it can. */
  readonly durabilityFault: string | null;
  /** The first right that a node needs and its user lacks, in words; undefined: it has all. */
  readonly missingRight: string | undefined;
  /** A node would accept no new message. */
  readonly isFull: boolean;
  /** Median of 20 round trips. */
  readonly latencyMs: number;
  /** Clock of Redis minus clock of this machine; half a round trip is the error. */
  readonly clockSkewMs: number;
  /** null: no node has used this prefix yet. */
  readonly layout: { readonly version: number; readonly partitions: number } | null;
};

export type InspectOptions = {
  readonly address: RedisAddress;
  readonly prefix: string;
  readonly durability: Durability;
  /** A master of a cluster: the keys that it has. Left out: the one Redis. */
  readonly isHere?: (key: string) => boolean;
};

/** Looks at a Redis over a connection of its own, within 3 s. Rejects with the reason when it cannot. */
export function inspectRedis(options: InspectOptions): Promise<RedisReport> {
  const explain = async (client: Redis, reason: Error) => {
    const fault = await explained(client.options, reason);
    return new Error(plainWords(fault.message), { cause: fault });
  };
  const asked = connectionOptions(options.address);
  return lookOnce(asked, { limitMs: LIMIT_MS, explain }, (client) => inspect(client, options));
}

async function inspect(
  client: Redis,
  { prefix, durability, isHere }: InspectOptions,
): Promise<RedisReport> {
  const info = await client.info();
  const latencyMs = await medianPingMs(client);
  const place = `${prefix}:layout`;
  const layout: Record<string, string> =
    isHere?.(place) === false ? {} : await client.hgetall(place);
  const isSharded = isHere !== undefined;
  const refusal = serverRefusal(info, isSharded);
  return {
    server: serverTitle(info),
    info,
    settings: await settingsOf(client),
    refusal,
    // A replica takes no writes, whatever its users may do.
    missingRight: refusal
      ? undefined
      : await missingRight(client, makeKeys(prefix, 1), {
          ...(isHere ? { isHere } : {}),
          isSharded,
        }),
    durabilityFault: await durabilityFault(durability, client),
    isFull: isNearlyFull(info),
    latencyMs,
    clockSkewMs: await clockSkewOf(client),
    layout: layout.version
      ? { version: Number(layout.version), partitions: Number(layout.partitions) }
      : null,
  };
}

/** Asks for one at a time: a release that lacks one of them still says the others. */
async function settingsOf(client: Redis): Promise<Record<string, string>> {
  const pairs = await Promise.all(
    SETTINGS.map(async (name): Promise<[string, string][]> => {
      const answer: unknown = await client.call('CONFIG', 'GET', name).catch(() => []);
      const value: unknown = Array.isArray(answer) ? answer[1] : undefined;
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
  return Object.fromEntries(pairs.flat());
}

async function medianPingMs(client: Redis): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const before = monotonicMs();
    await client.ping();
    times.push(monotonicMs() - before);
  }
  times.sort((a, b) => a - b);
  return times[PINGS / 2] ?? 0;
}
