/** Redis cannot be asked now, or refused for lack of memory: worth a retry later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

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
  return isTold ? error.message : 'Redis does not answer';
}
