import type { Mode } from '@sluice/protocol';
import type { Logger } from '@sluice/runtime';
import type {
  DeadLetters,
  DurabilityWait,
  Inbox,
  Nodes,
  Pauses,
  SessionEnds,
  SessionList,
  SessionRef,
  Sessions,
} from '@sluice/store';
import type { Tracing } from '../../tracing/tracing.js';
import type { FanOut } from '../delivery/fan-out.js';
import type { Marks } from '../delivery/marks.js';
import type { PaidReads } from '../limits/paid-reads.js';
import type { EdgeRates } from '../limits/rates.js';
import type { EdgeCounts } from '../limits/results.js';
import type { TellLimited } from '../limits/tell-limited.js';

export type EdgeLimits = {
  readonly maxPayloadBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxQueuedFrames: number;
  readonly heartbeatIntervalMs: number;
  readonly maxMessages: number;
  readonly maxMetadataBytes: number;
  /** 0: no limit. */
  readonly maxSessionsPerPrincipal: number;
  readonly resumeWindowMs: number;
  readonly onBusy: Mode;
};

/** What the files of this room share. */
export type EdgeContext = {
  readonly nodeId: string;
  readonly sessions: Sessions;
  /** Reads that clients pay for by their bytes. */
  readonly reads: PaidReads;
  readonly sessionList: SessionList;
  readonly inbox: Inbox;
  readonly deadLetters: DeadLetters;
  readonly rates: EdgeRates;
  readonly durability: DurabilityWait;
  readonly ends: SessionEnds;
  readonly nodes: Nodes;
  readonly pauses: Pauses;
  readonly fanOut: FanOut;
  readonly tracing: Tracing;
  readonly limits: EdgeLimits;
  readonly metrics: EdgeCounts;
  readonly log: Logger;
  readonly tellLimited: TellLimited;
  readonly marks: Marks;
  /** Whether some live node has the agent. */
  hasAgent(agent: string): boolean;
  isDraining(): boolean;
  /** Whether this node may have another connection of this principal. */
  hasRoom(principal: string): boolean;
  partitionOf(ref: SessionRef): number;
};
