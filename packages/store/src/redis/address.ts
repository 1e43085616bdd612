import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import {
  passwordsNow,
  type SentinelAddress,
  sentinelOptions,
  shownSentinel,
} from '../primary/sentinel.js';

/** Where Redis is, and who we are there. */
export type RedisAddress = {
  /** With `sentinel` only for messages. */
  readonly url: string;
  /** The URL as it is now: a new connection takes its user and password (rotation). */
  urlNow?(): string;
  /** A cluster: URLs of some of its nodes, `url` the first of them. User, password and TLS are the same for all. */
  readonly nodes?: readonly string[];
  /** `host:port` of one member of it, in place of those of `url`. */
  readonly master?: string;
  /** Each new connection asks these where the primary is. */
  readonly sentinel?: SentinelAddress;
  /** With `rediss://`: files in the place of the system's CAs (tls-context.ts). */
  readonly tls?: ConnectionOptions | undefined;
};

/** The primary that sentinels name. */
export const addressOfSentinel = (sentinel: SentinelAddress): RedisAddress => ({
  url: shownSentinel(sentinel),
  sentinel,
});

/** `redis://`, `rediss://` or `unix:///path` -> options of ioredis. */
export function redisOptions({ url, tls = {} }: RedisAddress): RedisOptions {
  if (url.startsWith('unix://')) {
    const [path, query] = url.slice('unix://'.length).split('?');
    return { path: path ?? '', db: Number(new URLSearchParams(query).get('db') ?? 0) };
  }
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 6379),
    db: Number(pathname.slice(1) || 0),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(protocol === 'rediss:' ? { tls } : {}),
  };
}

/** Options of a connection that reconnects: after 40 ms, then twice as late each time, up to 1 s. */
export function connectionOptions(address: RedisAddress): RedisOptions {
  const { urlNow, master, sentinel } = address;
  return {
    ...(sentinel ? sentinelOptions(sentinel, address.tls) : redisOptions(address)),
    ...(master === undefined ? {} : placeOf(master)),
    // ioredis calls it as a method of the options that it then connects with: `this` is right for the
    // connections that BullMQ makes too.
    retryStrategy(this: RedisOptions, tries: number) {
      if (urlNow) {
        const { username, password } = redisOptions({ url: urlNow() });
        Object.assign(this, { username, password });
      }
      if (sentinel) Object.assign(this, passwordsNow(sentinel));
      return Math.min(20 * 2 ** Math.min(tries, 6), 1_000);
    },
  };
}

function placeOf(member: string): RedisOptions {
  const colon = member.lastIndexOf(':');
  return { host: member.slice(0, colon), port: Number(member.slice(colon + 1)) };
}

/** A URL that can be shown: without password and query (X6). */
export function withoutSecrets(url: string): string {
  if (/^(unix|sentinel):/.test(url)) return url;
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(not a URL)';
  }
}
