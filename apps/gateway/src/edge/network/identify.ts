import { createHash } from 'node:crypto';
import { presentedCredential } from '../access/authenticate.js';
import type { AuthenticateOutcome } from '../access/identity.js';
import { unlessAway } from '../limits/rates.js';
import type { RequestHead } from './http-exchange.js';
import type { ServerOptions } from './transport.js';

/** Accepted credentials that are remembered; the one that was used longest ago is forgotten. */
const ACCEPTED_MAX = 10_000;

export type Identified =
  | AuthenticateOutcome
  /** Too many guesses came from this address. */
  | { readonly kind: 'too_many'; readonly retryAfterMs: number };

export type Identify = (head: RequestHead) => Identified | Promise<Identified>;

/**
 * Finds out whose request it is. Guesses draw from the bucket of their address, as refused upgrades do. While it is
 * empty, only credentials that were accepted before are looked at. Otherwise a right guess would still get another
 * answer, and each signature would be verified.
 */
export function makeIdentify({
  authenticate,
  rates,
}: Pick<ServerOptions, 'authenticate' | 'rates'>): Identify {
  const accepted = new Set<string>();

  function remember(credential: string): void {
    const digest = digestOf(credential);
    accepted.delete(digest);
    accepted.add(digest);
    const [oldest] = accepted;
    if (accepted.size > ACCEPTED_MAX && oldest !== undefined) accepted.delete(oldest);
  }

  function judge(who: AuthenticateOutcome, credential: string, address: string) {
    if (who.kind === 'ok') remember(credential);
    return who.kind === 'ok' || who.code === 'unavailable' ? who : guessed(who, address);
  }

  async function guessed(who: AuthenticateOutcome, address: string): Promise<Identified> {
    const admitted = await unlessAway(rates.unauthenticated(address));
    if (admitted.kind === 'admitted') return who;
    return { kind: 'too_many', retryAfterMs: admitted.retryAfterMs };
  }

  return (head) => {
    const credential = presentedCredential({
      authorization: head.headers.get('authorization') ?? '',
      protocols: head.headers.get('sec-websocket-protocol') ?? '',
      query: new URLSearchParams(head.query),
    });
    if (credential === undefined) return authenticate(undefined);
    const address = head.remoteAddress;
    const retryAfterMs = rates.guessWaitMs(address);
    if (retryAfterMs > 0 && !accepted.has(digestOf(credential))) {
      return { kind: 'too_many', retryAfterMs };
    }
    const who = authenticate(credential);
    if (!(who instanceof Promise)) return judge(who, credential, address);
    return who.then((outcome) => judge(outcome, credential, address));
  };
}

const digestOf = (credential: string) => createHash('sha256').update(credential).digest('base64');
