/** By `error` code: whether sending the same frame again can succeed. */
const retryableByCode = {
  invalid_frame: false,
  not_joined: false,
  insufficient_scope: false,
  inbox_full: true,
  busy: true,
  wrong_agent: false,
  payload_too_large: false,
  rate_limited: true,
  draining: true,
  unavailable: true,
  not_pending: false,
  session_not_found: false,
  session_ended: false,
  agent_not_found: false,
  auth_required: false,
  auth_unauthorized: false,
  origin_not_allowed: false,
  invalid_protocol_hello: false,
  version_unsupported: false,
  not_found: false,
  method_not_allowed: false,
  upgrade_required: false,
  internal: true,
} as const;

export type ErrorCode = keyof typeof retryableByCode;

export const errorCodes = Object.keys(retryableByCode) as ErrorCode[];

export function isRetryable(code: ErrorCode): boolean {
  return retryableByCode[code];
}

/** HTTP status of each error code that occurs over HTTP. */
const statusByCode: Partial<Record<ErrorCode, number>> = {
  invalid_frame: 400,
  auth_required: 401,
  auth_unauthorized: 401,
  insufficient_scope: 403,
  origin_not_allowed: 403,
  session_not_found: 404,
  session_ended: 404,
  agent_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  busy: 409,
  wrong_agent: 409,
  payload_too_large: 413,
  upgrade_required: 426,
  inbox_full: 429,
  rate_limited: 429,
  draining: 503,
  unavailable: 503,
};

/** 500 for codes that do not occur over HTTP. */
export function httpStatus(code: ErrorCode): number {
  return statusByCode[code] ?? 500;
}

export const helloErrorCodes = [
  'auth_required',
  'auth_unauthorized',
  'protocol_unsupported',
  'agent_not_found',
  'rate_limited',
  'origin_not_allowed',
  'configuration_error',
  'pairing_required',
  'unavailable',
] as const;
export type HelloErrorCode = (typeof helloErrorCodes)[number];

export const nextSteps = [
  'reauthenticate',
  'repair',
  'upgrade_client',
  'downgrade_client',
  'wait_then_retry',
  'do_not_retry',
] as const;
export type NextStep = (typeof nextSteps)[number];
