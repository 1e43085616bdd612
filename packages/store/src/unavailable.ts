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

/** For the client, who learns nothing of hosts and commands. */
export function whyUnavailable(error: StoreUnavailable): string {
  return error instanceof StoreFull ? error.message : 'Redis does not answer';
}
