import type { Many } from './many-leases.js';
import type { Ended, How, Mode } from './session-model.js';

/** What two nodes and their clients may do next. `twice`: the reply was lost, the call is sent again. */
export type Step = { readonly twice: boolean } & (
  | { readonly kind: 'attach' | 'abort' | 'end' | 'expire' | 'ripen' | 'touch' | 'sweep' | 'draw' }
  /** All leases that the nodes believe to hold, in one call. */
  | { readonly kind: Many }
  | { readonly kind: 'pause'; readonly on: boolean }
  /** A copy of the agent's pause; `old`: one that comes late. */
  | { readonly kind: 'copy'; readonly old: boolean }
  /** A call that is repeated because its reply was lost, and that later calls have overtaken. */
  | { readonly kind: 'late_append' | 'late_end' | 'late_pause' | 'late_abort' }
  /** More messages than a batch takes. */
  | { readonly kind: 'burst' }
  | { readonly kind: 'append'; readonly mode: Mode }
  | { readonly kind: 'again' | 'cancel' | 'stop'; readonly which: number }
  | { readonly kind: 'take' | 'peek' | 'begin' | 'hear'; readonly node: number }
  | { readonly kind: 'rebegin' | 'delta' | 'renew'; readonly node: number }
  /** `isLate`: the message has been failing for long enough. */
  | { readonly kind: 'retry'; readonly node: number; readonly how: Ended; readonly isLate: boolean }
  | { readonly kind: 'commit'; readonly node: number; readonly fetch: boolean }
  | { readonly kind: 'release'; readonly node: number; readonly how: How }
);
