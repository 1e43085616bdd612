import { type Logger, monotonicMs } from '@sluice/runtime';
import { errors } from 'jose';
import type { AuthenticateOutcome, RefusalReason } from './identity.js';

/** There may be many guesses: one line in the log for each reason in this time, with their number. */
const TELL_EVERY_MS = 60_000;

const NOT_ACCEPTED = 'The credentials were not accepted.';

/**
 * Reasons to refuse a credential, and the message for the client. A message names what is wrong with the claims only
 * when the signature was good.
 */
const messages: Readonly<Record<RefusalReason, string>> = {
  unknown_token: NOT_ACCEPTED,
  malformed: NOT_ACCEPTED,
  bad_signature: NOT_ACCEPTED,
  unknown_key: NOT_ACCEPTED,
  algorithm_not_allowed: NOT_ACCEPTED,
  expired: 'The credentials have expired.',
  not_yet_valid: 'The credentials are not valid yet.',
  no_expiry: 'The credentials have no expiry (exp).',
  wrong_audience: 'The credentials are for another audience (aud).',
  wrong_issuer: 'The credentials are of another issuer (iss).',
  bad_claim: 'A claim of the credentials is not valid.',
  no_principal: 'The credentials name no principal.',
};

export type Refused = AuthenticateOutcome & { readonly kind: 'refused' };

export function refusedFor(reason: RefusalReason): Refused {
  return { kind: 'refused', code: 'auth_unauthorized', message: messages[reason], reason };
}

/** Whether the token was signed with a key that is known here, whatever else is wrong with it. */
export const isOfKnownSigner = (reason: RefusalReason) => messages[reason] !== NOT_ACCEPTED;

/** The reason for an error of jose; `malformed` for an error without a reason of its own. */
export function reasonOf(error: errors.JOSEError): RefusalReason {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return ofClaim[error.claim] ?? 'bad_claim';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm_not_allowed';
  return 'malformed';
}

const ofClaim: Readonly<Record<string, RefusalReason>> = {
  nbf: 'not_yet_valid',
  exp: 'no_expiry',
  aud: 'wrong_audience',
  iss: 'wrong_issuer',
};

/** Logs refusals by their reason, and nothing of what was presented (X6). */
export function makeTellRefused(log: Logger, now = monotonicMs): (outcome: Refused) => void {
  const counts = new Map<RefusalReason, { atMs: number; count: number }>();
  return ({ reason }) => {
    if (reason === undefined) return;
    const last = counts.get(reason) ?? { atMs: Number.NEGATIVE_INFINITY, count: 0 };
    last.count++;
    counts.set(reason, last);
    if (now() - last.atMs < TELL_EVERY_MS) return;
    log.warn({ reason, count: last.count }, 'credentials were refused');
    counts.set(reason, { atMs: now(), count: 0 });
  };
}
