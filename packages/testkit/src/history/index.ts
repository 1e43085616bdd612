export { checkHistory, type Verdict } from './check-history.js';
export { handOversIn, turnOf } from './from-nodes.js';
export { measurePauses, type Pauses } from './pauses.js';
export type * from './records.js';
