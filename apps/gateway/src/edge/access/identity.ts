import type { Scope } from '../../config/config-types.js';

/** Who is at the other end, and what they may do. */
export type Identity = {
  readonly principal: string;
  readonly scopes: readonly Scope[];
  readonly credential: Credential;
};

/** What ends an identity that is in use: its credential expires, or is taken out of force. */
export type Credential = {
  /** Names the secret, without telling it. */
  readonly fingerprint: string;
  /** Of the clock on the wall; Infinity: never. */
  readonly expiresAtMs: number;
};

/** Why a credential is refused that was looked at. */
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
      /** 'unavailable': whoever could tell does not answer; worth another try. */
      readonly code: 'auth_required' | 'auth_unauthorized' | 'unavailable';
      readonly message: string;
      /** Of one that was presented and looked at. */
      readonly reason?: RefusalReason;
    };

/** A credential as it was presented (undefined: none) -> who that is; later, for signed tokens. */
export type Authenticate = (
  credential: string | undefined,
) => AuthenticateOutcome | Promise<AuthenticateOutcome>;

export type OriginOutcome =
  /** `cors`: the value of Access-Control-Allow-Origin; undefined: the request had no Origin. */
  | { readonly kind: 'ok'; readonly cors: string | undefined }
  | { readonly kind: 'refused'; readonly code: 'origin_not_allowed'; readonly message: string };

/** The headers `Origin` and `Host` ('' when absent) -> whether that page may talk to us. */
export type CheckOrigin = (origin: string, host: string) => OriginOutcome;
