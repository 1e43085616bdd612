export { checkHistory, type Verdict } from './check-history.js';
export { type HandOver, measurePauses, type Pauses, undisturbedPauses } from './pauses.js';
export type * from './records.js';
