/** Requests for one turn; the last of them goes without history. */
const TRIES_MAX = 6;
/** What was learned grows by this share with each request that it made smaller. */
const GROWTH = 1 / 16;

/** How many bytes of messages an endpoint takes, learned from what it refuses as too long. */
export type Room = {
  /** What one turn may send, from the first try to the one that is taken. */
  start(): Asking;
};

type Asking = {
  /** Bytes of all messages together. */
  readonly mostBytes: number;
  /** The request of so many bytes was too long: the next one has half, the last one only what it must. */
  refused(bytes: number): void;
  /** It was taken. `isCut`: it left out exchanges for want of room. */
  taken(isCut: boolean): void;
};

/**
 * Kept for an agent, in this process. Only a request that was taken teaches: a message that is too long by
 * itself says nothing about others. Bytes are no tokens, and endpoints change, so what was learned from a
 * dense text, or long ago, is forgotten a little with each turn.
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
