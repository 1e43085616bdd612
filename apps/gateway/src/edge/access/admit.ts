import { closes, type HelloErrorFrame, type NextStep, REFUSED_CODE } from '@sluice/protocol';
import type { Admittance } from '../limits/rate-limit.js';
import { type EdgeRates, unlessAway } from '../limits/rates.js';
import { presentedCredential } from './authenticate.js';
import type { Authenticate, CheckOrigin, Identity } from './identity.js';

/** The parts of an upgrade request that decide on it; copied, since the request is gone after the first await. */
export type UpgradeRequest = {
  readonly origin: string;
  readonly host: string;
  readonly authorization: string;
  readonly protocols: string;
  readonly query: string;
  readonly address: string;
  /** '' when absent. */
  readonly traceparent: string;
};

/** Refuses an upgrade: `frame` on the open socket, then a close with `code`. */
export type Refusal = {
  readonly kind: 'refused';
  readonly frame: HelloErrorFrame;
  readonly code: number;
};

export type Admission = { readonly kind: 'admitted'; readonly identity: Identity } | Refusal;

export type AdmitOptions = {
  readonly authenticate: Authenticate;
  readonly checkOrigin: CheckOrigin;
  readonly rates: Pick<EdgeRates, 'upgrade' | 'unauthenticated'>;
};

/** How long a client waits before it presents a credential again that could not be verified. */
const UNAVAILABLE_RETRY_S = 1;

/** Whether an upgrade becomes a connection: origin, rate of its address, credentials. Never throws. */
export async function admit(options: AdmitOptions, request: UpgradeRequest): Promise<Admission> {
  const origin = options.checkOrigin(request.origin, request.host);
  if (origin.kind === 'refused') return refused(origin, 'do_not_retry');
  const upgrade = await unlessAway(options.rates.upgrade(request.address));
  if (upgrade.kind === 'refused') {
    return tooMany(closes.tooManyUpgrades.code, 'Too many connections from this address.', upgrade);
  }
  const credential = presentedCredential({
    authorization: request.authorization,
    protocols: request.protocols,
    query: new URLSearchParams(request.query),
  });
  const who = await options.authenticate(credential);
  if (who.kind === 'ok') return { kind: 'admitted', identity: who.identity };
  if (who.code === 'unavailable') {
    return refused({ ...who, retry_after_seconds: UNAVAILABLE_RETRY_S }, 'wait_then_retry');
  }
  const unauthenticated = await unlessAway(options.rates.unauthenticated(request.address));
  if (unauthenticated.kind === 'admitted') return refused(who, 'reauthenticate');
  const message = 'Too many connections without valid credentials from this address.';
  return tooMany(closes.tooManyUnauthenticated.code, message, unauthenticated);
}

/** Refusal of a node that has as many connections as it may, in all or of this principal. Others may have room. */
export function noRoom(retryAfterMs: number): Refusal {
  const message = 'This node has as many connections as it may, in all or of this principal.';
  return tooMany(closes.tooManyUpgrades.code, message, { kind: 'refused', retryAfterMs });
}

type RefusalText = Pick<HelloErrorFrame, 'code' | 'message' | 'retry_after_seconds'>;

function refused(text: RefusalText, next_step: NextStep, code: number = REFUSED_CODE): Refusal {
  const { message, retry_after_seconds } = text;
  const later = retry_after_seconds === undefined ? {} : { retry_after_seconds };
  const frame: HelloErrorFrame = {
    type: 'hello_error',
    code: text.code,
    message,
    next_step,
    ...later,
  };
  return { kind: 'refused', frame, code };
}

function tooMany(
  code: number,
  message: string,
  { retryAfterMs }: Admittance & { kind: 'refused' },
): Refusal {
  const retry_after_seconds = Math.ceil(retryAfterMs / 1_000);
  return refused({ code: 'rate_limited', message, retry_after_seconds }, 'wait_then_retry', code);
}
