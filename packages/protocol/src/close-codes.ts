/** Close codes and their reasons; docs/reference/protocol.md holds the same table with advice to the client. */
export const closes = {
  serviceRestart: { code: 1012, reason: 'service_restart' },
  slowConsumer: { code: 1013, reason: 'slow_consumer' },
  credentialsRotated: { code: 4001, reason: 'credentials_rotated' },
  credentialsExpired: { code: 4001, reason: 'credentials_expired' },
  helloTimeout: { code: 4004, reason: 'hello_timeout' },
  livenessTimeout: { code: 4002, reason: 'liveness_timeout' },
  tooManyUpgrades: { code: 4008, reason: 'rate_limited' },
  tooManyFrames: { code: 4008, reason: 'rate_limited' },
  tooManyInvalidFrames: { code: 4028, reason: 'too_many_invalid_frames' },
  tooManyUnauthenticated: { code: 4029, reason: 'rate_limited' },
} as const;

/** Close code after a `hello_error` on upgrade; the reason is the message of the `hello_error`. */
export const REFUSED_CODE = 4003;

export type Close = { readonly code: number; readonly reason: string };
