import { makeId } from '@sluice/runtime';
import type { Keys, RateKind } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

/** A token bucket: `burst` at once, and again that many in every `fillMs`. */
export type Bucket = { readonly burst: number; readonly fillMs: number };

export type Rates = ReturnType<typeof makeRates>;

/** Buckets that the whole cluster draws from (X5). Throws StoreUnavailable. */
export function makeRates(connection: Connection, keys: Keys) {
  return {
    /** Draws up to `want` tokens; `subject` is an address or the hash of a principal. */
    draw(
      kind: RateKind,
      subject: string,
      { want, bucket }: { want: number; bucket: Bucket },
    ): Promise<scripts.DrawReply> {
      return connection.run(
        scripts.rateDraw,
        { bucket: keys.rate(kind, subject) },
        // Made before the first try: a repeat gets the same tokens.
        { call: makeId('draw'), want, burst: bucket.burst, fill: bucket.fillMs },
      );
    },
  };
}
