import type { BulkReads } from '../reads/bulk-reads.js';
import type { MemoryWatch } from '../redis/memory.js';

/** Names a session: its id is unique only among the sessions of its principal. */
export type SessionRef = { readonly principal: string; readonly sessionId: string };

export type SessionOptions = {
  readonly nodeId: string;
  /** Id of this process of the node; after a restart it is another one. */
  readonly processId: string;
  readonly memory: Pick<MemoryWatch, 'isFull'>;
  readonly bulk: BulkReads;
  /** Processes that beat, this one included. */
  liveProcesses(): readonly string[];
};
