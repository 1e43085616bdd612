/**
 * Costs of requests, in tokens of `gateway.rate_limit.requests_per_second`. One token is about one call to Redis
 * that reads or changes one session. What is read of a session is paid by its bytes, afterwards.
 */
export const costs = {
  /** A look-up, a change, an abort, a cancel. */
  call: 1,
  /** `hello`, `join`: a subscription, the attach with up to 32 KiB of the log, and a mark. */
  attach: 2,
  /** A page of a session, a snapshot, a stream of events. */
  read: 2,
  /** A listing asks every partition, and then each session. */
  list: 5,
  /** A listing that looks for a rare state or agent reads many more sessions. */
  search: 20,
} as const;

/** Bytes of a read that cost one token. */
const BYTES_PER_TOKEN = 64 * 1024;

/** Tokens for a read of this many bytes, rounded down: a small one costs nothing more. */
export const costOfBytes = (bytes: number): number => Math.floor(bytes / BYTES_PER_TOKEN);
