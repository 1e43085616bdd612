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

/** For the client, who learns nothing of hosts and commands. */
export function whyUnavailable(error: StoreUnavailable): string {
  const isTold = error instanceof StoreFull || error instanceof StoreContended;
  return isTold ? error.message : 'Redis does not answer';
}
