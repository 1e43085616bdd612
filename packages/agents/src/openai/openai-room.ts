/** Requests for one turn; the last of them has no history. */
const TRIES_MAX = 6;
/** The learned limit grows by this share with each accepted request that it had cut. */
const GROWTH = 1 / 16;

/** How many bytes of messages an endpoint accepts, learned from what it refuses as too long. */
export type Room = {
  /** For one turn, from its first request to the one that is accepted. */
  start(): Asking;
};

type Asking = {
  /** Bytes of all messages together. */
  readonly mostBytes: number;
  /** A request with `bytes` of messages was too long: the next may have half, the last one no history. */
  refused(bytes: number): void;
  /** The request was accepted. `isCut`: exchanges were left out to make it fit. */
  taken(isCut: boolean): void;
};

/**
 * One per agent, in memory. The limit changes only when a request was accepted: a message that is too long by
 * itself says nothing about others. Bytes are not tokens, and endpoints change: so the limit, which may come
 * from a dense text or from long ago, grows a little with each turn.
 */
export function makeRoom(): Room {
  let learned = Number.POSITIVE_INFINITY;
  return {
    start() {
      let mostBytes = learned;
      let tries = 1;
      let half: number | undefined;
      return {
        get mostBytes() {
          return mostBytes;
        },
        refused(bytes) {
          tries += 1;
          half = Math.floor(bytes / 2);
          mostBytes = tries >= TRIES_MAX ? 0 : half;
        },
        taken(isCut) {
          if (half !== undefined) learned = half;
          else if (isCut) learned += learned * GROWTH;
        },
      };
    },
  };
}
