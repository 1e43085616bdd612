import * as scripts from './scripts.js';

/** Calls to Redis that are no script of ours. */
const plainCalls = [
  'lease-acquire',
  'lease-extend',
  'lease-release',
  'ring-add',
  'ring-done',
  'channel-subscribe',
  'log-read',
  'history-read',
  'kept-read',
  'durability-wait',
  'session-end-copy',
  'node-leave',
  'drain-ask',
] as const;

export type PlainCall = (typeof plainCalls)[number];

/** Each has a failpoint before and one after it (docs/failpoints.md). */
export const failpointCalls: readonly string[] = [
  ...Object.values(scripts).map(({ name }) => name),
  ...plainCalls,
];
