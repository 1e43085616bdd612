/** Redis cannot be asked now, or refused for lack of memory: worth a retry later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** Redis answers, and cannot do it in the state that it is in; `message` has its own words. */
export class StoreRefused extends StoreUnavailable {}

/** Redis answers, but its memory is used up, or nearly: what was taken in already goes on. */
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

/** Whoever asked has gone: nothing was sent to Redis. */
export class CallerGone extends StoreUnavailable {
  constructor() {
    super('nobody waits for this read any more');
  }
}

/** For the client, who learns nothing of hosts and commands. */
export function whyUnavailable(error: StoreUnavailable): string {
  const isTold = [StoreFull, StoreContended, StoreBusy].some((kind) => error instanceof kind);
  if (isTold) return error.message;
  return error instanceof StoreRefused ? 'Redis refuses it for now' : 'Redis does not answer';
}

/**
 * Error replies that speak of the server, its data set or our rights there, and not of the call. A reply
 * that is not among them is a fault in a script or in this program. Inside a script missing rights are an
 * `ERR` of its user.
 */
const SERVER_STATE =
  /^(OOM|LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS|BUSY|NOPERM|NOAUTH|WRONGPASS|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|NOSCRIPT)\b|^ERR (max number of clients|The user executing the script can't)/;

/** An answer of Redis, whatever it says. */
export const isReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';

/** Redis answered, but cannot do it in the state that it is in; undefined: it is something else. */
export function refusalOf(error: unknown): StoreUnavailable | undefined {
  // Of a transaction it is told by the commands that were queued: EXEC only says that there was one.
  const causes = [error, ...(Object(error).previousErrors ?? [])];
  const cause = causes.find(
    (it): it is Error => it instanceof Error && SERVER_STATE.test(it.message),
  );
  if (cause?.message.startsWith('OOM')) return new StoreFull({ cause });
  return cause && new StoreRefused(cause.message, { cause });
}
