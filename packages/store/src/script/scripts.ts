/** Every script of `scripts/`, typed: the only place where replies become values. */
export type { Fenced, HeadReply } from './script-replies.js';
export * from './scripts-cluster.js';
export * from './scripts-inbox.js';
export * from './scripts-leases.js';
export * from './scripts-letter.js';
export * from './scripts-limits.js';
export * from './scripts-pause.js';
export * from './scripts-session.js';
export * from './scripts-turn.js';
