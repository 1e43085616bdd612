import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';

export type SentinelNode = { readonly host: string; readonly port: number };

/** A user, and a password that may change while the process runs. */
export type Credentials = {
  readonly username: string | null;
  password(): string | null;
  readonly tls: boolean;
};

/** The sentinels, the name under which they watch the primary, and who we are at both. */
export type SentinelAddress = {
  readonly name: string;
  readonly nodes: readonly SentinelNode[];
  readonly db: number;
  readonly data: Credentials;
  readonly sentinels: Credentials;
};

/** A sentinel that does not answer is left for the next one after this time. */
const SENTINEL_MS = 1_000;
/** Pause after none of them has named a primary. */
const ROUND_MS = 250;

/**
 * Each connection asks the sentinels in turn until one names a primary, and leaves a server that is none. Only the
 * given sentinels are asked, so that `get-master-addr-by-name` is all that their user must be allowed. `tls` is for
 * both, where TLS is asked for (tls-context.ts).
 */
export function sentinelOptions(
  address: SentinelAddress,
  tls: ConnectionOptions = {},
): RedisOptions {
  const { name, nodes, db, data, sentinels } = address;
  return {
    ...{ name, db, role: 'master', sentinels: nodes.map((node) => ({ ...node })) },
    updateSentinels: false,
    sentinelCommandTimeout: SENTINEL_MS,
    sentinelRetryStrategy: () => ROUND_MS,
    ...(data.username === null ? {} : { username: data.username }),
    ...(data.tls ? { tls, enableTLSForSentinelMode: true } : {}),
    ...(sentinels.username === null ? {} : { sentinelUsername: sentinels.username }),
    ...(sentinels.tls ? { sentinelTLS: tls } : {}),
    ...passwordsNow(address),
  };
}

/** The passwords that a new connection takes. */
export function passwordsNow({ data, sentinels }: SentinelAddress): RedisOptions {
  const password = data.password();
  const sentinelPassword = sentinels.password();
  return {
    ...(password === null ? {} : { password }),
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
  };
}

/** For messages: `sentinel://127.0.0.1:26379,127.0.0.1:26380/mymaster`. */
export function shownSentinel({ name, nodes }: SentinelAddress): string {
  const shown = nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
  return `sentinel://${shown.join(',')}/${name}`;
}

/** What ioredis says when no sentinel has named a primary -> what that means; other words stay. */
export function plainWords(words: string): string {
  if (!words.startsWith('All sentinels are unreachable')) return words;
  const last = /Last error: (.*)$/s.exec(words)?.[1];
  return last === undefined
    ? 'no sentinel knows a primary of that name'
    : `no sentinel names a primary: ${last}`;
}
