/** Redis cannot be asked now, or refuses: worth a retry later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** Redis answers that it cannot do it in its present state; `message` has its own words. */
export class StoreRefused extends StoreUnavailable {}

/** A server of a cluster sends the call elsewhere, or cannot take it yet: nothing ran there. */
export class Redirected extends StoreRefused {}

/** Redis answers, but its memory is used up, or nearly: work that was accepted already goes on. */
export class StoreFull extends StoreUnavailable {
  constructor(options?: ErrorOptions) {
    super('the memory of Redis is nearly used up', options);
  }
}

/** Redis answers, but others changed the same thing at each try. */
export class StoreContended extends StoreUnavailable {}

/** Redis answers, but too many reads of the same principal wait: that principal alone must slow down. */
export class StoreBusy extends StoreUnavailable {
  constructor(readonly retryAfterMs: number) {
    super('too many large reads of this principal');
  }
}

/** The caller has gone: nothing was sent to Redis. */
export class CallerGone extends StoreUnavailable {
  constructor() {
    super('nobody waits for this read any more');
  }
}

/** The reason for a client, without hosts and commands. */
export function whyUnavailable(error: StoreUnavailable): string {
  const isPublic = [StoreFull, StoreContended, StoreBusy].some((kind) => error instanceof kind);
  if (isPublic) return error.message;
  return error instanceof StoreRefused ? 'Redis refuses it for now' : 'Redis does not answer';
}

/**
 * Error replies about the server, its data set or our rights there, not about the call. Any other error
 * reply is a fault in a script or in this program. Inside a script a missing right is an `ERR` about its
 * user.
 */
const SERVER_STATE =
  /^(OOM|LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS|BUSY|NOPERM|NOAUTH|WRONGPASS|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|NOSCRIPT)\b|^ERR (max number of clients|The user executing the script can't)/;

const REDIRECTED = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/;

/** Whether an error is a reply of Redis, whatever it says. */
export const isReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';

/** The error for a reply about the state of Redis; undefined: `error` is something else. */
export function refusalOf(error: unknown): StoreUnavailable | undefined {
  // In a transaction the queued commands have the reason: EXEC only says that there is one.
  const causes = [error, ...(Object(error).previousErrors ?? [])];
  const cause = causes.find(
    (it): it is Error => it instanceof Error && SERVER_STATE.test(it.message),
  );
  if (cause?.message.startsWith('OOM')) return new StoreFull({ cause });
  if (!cause) return undefined;
  const Kind = REDIRECTED.test(cause.message) ? Redirected : StoreRefused;
  return new Kind(cause.message, { cause });
}
