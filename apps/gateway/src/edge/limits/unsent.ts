/** A connection that keeps no more than this is never given up because of others. */
const SMALL_BYTES = 64 * 1024;

export type UnsentLimits = {
  /** For all connections of this node together. */
  readonly maxBytes: number;
  /** For all connections of one principal; 0: no limit. */
  readonly maxBytesPerPrincipal: number;
  /** Called when a connection is to be given up because a limit is reached. */
  onFull(kind: UnsentKind, principal: string): void;
};

export type UnsentKind = 'http' | 'socket';

/**
 * Counts what this node keeps in memory for peers that do not read, or have not finished sending: answers over HTTP,
 * streams of events, frames, bodies. Each connection has its own limit elsewhere. Here are the totals of the node and
 * of each principal, so that many connections gain nothing.
 */
export class Unsent {
  #bytes = 0;
  readonly #byPrincipal = new Map<string, number>();

  constructor(private readonly limits: UnsentLimits) {}

  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.limits.maxBytes;
  }

  /** The share of one connection, which counts until it is set to 0. `principal`: '' while it is not known. */
  of(kind: UnsentKind, principal: string): UnsentShare {
    return new UnsentShare((from, to) => {
      const isWithin = this.#change(principal, from, to);
      if (!isWithin) this.limits.onFull(kind, principal);
      return isWithin;
    });
  }

  /** Whether nothing new should be begun for this principal. */
  isFull(principal: string): boolean {
    const { maxBytes, maxBytesPerPrincipal } = this.limits;
    const own = this.#byPrincipal.get(principal) ?? 0;
    return this.#bytes >= maxBytes || (maxBytesPerPrincipal > 0 && own >= maxBytesPerPrincipal);
  }

  #change(principal: string, from: number, to: number): boolean {
    this.#bytes += to - from;
    const own = (this.#byPrincipal.get(principal) ?? 0) + to - from;
    if (own > 0) this.#byPrincipal.set(principal, own);
    else this.#byPrincipal.delete(principal);
    return to <= from || to <= SMALL_BYTES || !this.isFull(principal);
  }
}

/** The bytes that one connection keeps. */
export class UnsentShare {
  #bytes = 0;

  constructor(private readonly change: (from: number, to: number) => boolean) {}

  /** Sets what the connection keeps now. False: the node or the principal keeps too much; give the connection up. */
  set(bytes: number): boolean {
    if (bytes === this.#bytes) return true;
    const from = this.#bytes;
    this.#bytes = bytes;
    return this.change(from, bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }
}
