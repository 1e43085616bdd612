import * as scripts from './scripts.js';

/** Calls to Redis that are not scripts of ours. */
const plainCalls = [
  'lease-acquire',
  'lease-extend',
  'lease-release',
  'ring-add',
  'ring-done',
  'channel-subscribe',
  'durability-wait',
  'session-end-copy',
  'node-leave',
  'drain-ask',
  'cluster-read',
] as const;

export type PlainCall = (typeof plainCalls)[number];

export const scriptNames: readonly string[] = Object.values(scripts).map(({ name }) => name);

/** Scripts that write under a lease, and may be refused. */
export const fencedScriptNames: readonly string[] = Object.values(scripts)
  .filter(({ args }) => args.join().startsWith('token,fence,') || args[1] === 'leases')
  .map(({ name }) => name);

/** Each has a failpoint before and one after it (docs/internals/failpoints.md). */
export const failpointCalls: readonly string[] = [...scriptNames, ...plainCalls];
