import type { Scope } from '../../config/config-types.js';

/** Whose connection or request it is, and what they may do. */
export type Identity = {
  readonly principal: string;
  readonly scopes: readonly Scope[];
  readonly credential: Credential;
};

/** The credential behind an identity: once it expires or is withdrawn, the identity ends. */
export type Credential = {
  /** Names the secret without revealing it. */
  readonly fingerprint: string;
  /** By the wall clock; Infinity: never. */
  readonly expiresAtMs: number;
};

/** Why a credential that was checked is refused. */
export type RefusalReason =
  | 'unknown_token'
  | 'malformed'
  | 'bad_signature'
  | 'unknown_key'
  | 'algorithm_not_allowed'
  | 'expired'
  | 'not_yet_valid'
  | 'no_expiry'
  | 'wrong_audience'
  | 'wrong_issuer'
  | 'bad_claim'
  | 'no_principal';

export type AuthenticateOutcome =
  | { readonly kind: 'ok'; readonly identity: Identity }
  | {
      readonly kind: 'refused';
      /** 'unavailable': the issuer's keys cannot be fetched now; worth another try. */
      readonly code: 'auth_required' | 'auth_unauthorized' | 'unavailable';
      readonly message: string;
      /** undefined: no credential was presented, or none was checked. */
      readonly reason?: RefusalReason;
    };

/** Finds out whose credential this is (undefined: none was presented); for signed tokens with a promise. */
export type Authenticate = (
  credential: string | undefined,
) => AuthenticateOutcome | Promise<AuthenticateOutcome>;

export type OriginOutcome =
  /** `cors`: the value of Access-Control-Allow-Origin; undefined: the request had no Origin. */
  | { readonly kind: 'ok'; readonly cors: string | undefined }
  | { readonly kind: 'refused'; readonly code: 'origin_not_allowed'; readonly message: string };

/** Whether a page with these headers `Origin` and `Host` ('' when absent) may talk to this node. */
export type CheckOrigin = (origin: string, host: string) => OriginOutcome;
