import { StoreUnavailable } from '../redis/unavailable.js';

/** A Redlock that was taken, until `deadlineMs` (monotonic); becomes a lease with `turn-begin`. */
export type Claim = { readonly token: string; readonly deadlineMs: number };

/** The Redlock of one session. */
export type Locked = { readonly id: string; readonly token: string };

/** What the members say of a Redlock that was to be extended. `unreached`: too few of them have answered for it. */
export type Extended = 'extended' | 'another' | 'unreached';

type LockCalls = {
  /** undefined: another has it, or Redis failed. Throws NoMajority. The TTL counts from before the request (L4). */
  acquire(id: string): Promise<Claim | undefined>;
  /** Returns the new deadline; undefined: not extended. */
  extend(id: string, claim: Claim): Promise<number | undefined>;
  /** Gives back a Redlock that did not become a lease. */
  abandon(id: string, claim: Claim): Promise<void>;
};

/** The keys are in the data Redis: its scripts look at them, extend them and delete them. */
export type OwnLocks = LockCalls & { readonly where: 'here' };

/** A quorum also needs what the scripts of the data Redis do where the key is there. */
export type QuorumLocks = LockCalls & {
  readonly where: 'quorum';
  /** Extends many at once. `deadlineMs` is that of those which were extended. */
  extendAll(all: readonly Locked[]): Promise<{ deadlineMs: number; answers: readonly Extended[] }>;
  /** Gives up many at once; those of which no member answers end with their TTL. */
  releaseAll(all: readonly Locked[]): Promise<void>;
};

export type Locks = OwnLocks | QuorumLocks;

/** Too few members of the quorum have answered: nobody can take a lease now. */
export class NoMajority extends StoreUnavailable {
  constructor(options?: ErrorOptions) {
    super('no majority of the lease quorum answers', options);
  }
}
