import { type Logger, monotonicMs } from '@sluice/runtime';
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';

/** Least time between two fetches for keys that are not known yet, whatever tokens are sent. */
const COOLDOWN_MS = 5_000;
/** A key that was withdrawn is forgotten after this time. */
const CACHE_MS = 10 * 60_000;
const TIMEOUT_MS = 3_000;
/** After a failed fetch the next one waits this long, however many tokens need it. */
const RETRY_MS = 1_000;

/** The issuer's keys could not be fetched: nothing is known about the token. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** The keys at `gateway.auth.jwt.jwks_url`, fetched when a token needs them. Throws KeysUnavailable. */
export function remoteKeys(url: string, log: Logger): JWTVerifyGetKey {
  let retryAtMs = 0;
  let isFailing = false;
  const host = new URL(url).host;

  const failed = (why: string) => {
    retryAtMs = monotonicMs() + RETRY_MS;
    if (isFailing) return;
    isFailing = true;
    log.error(
      { host, why },
      'gateway.auth.jwt.jwks_url does not answer: tokens whose keys are not known here are told ' +
        '"unavailable" until it does; check the address and who serves it',
    );
  };
  const remote = createRemoteJWKSet(new URL(url), {
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: CACHE_MS,
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: async (address, options) => {
      if (monotonicMs() < retryAtMs) throw new KeysUnavailable('asked a moment ago');
      return fetch(address, options);
    },
  });

  return async (header, token) => {
    try {
      const key = await remote(header, token);
      if (isFailing) log.info({ host }, 'gateway.auth.jwt.jwks_url answers again');
      isFailing = false;
      return key;
    } catch (error) {
      if (isFault(error)) throw error;
      if (!(error instanceof KeysUnavailable)) failed(reasonOf(error));
      throw new KeysUnavailable('the keys cannot be had', { cause: error });
    }
  };
}

/** Whether the fault is in the token: its key is not among these, or it does not say which one it means. */
function isFault(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
