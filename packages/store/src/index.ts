/**
 * Everything that Sluice keeps in Redis, behind functions that say what they do.
 *
 * Rooms, each importing only from those before it: script, keys and server, redis, reads, locks, leases, session,
 * cluster, ends; `open-store.ts` builds them.
 * One state change is one script, and each write under a lease passes its fence.
 * Not here: when to do something; edge and worker decide.
 */
export { LAYOUT_BEFORE, LAYOUT_VERSION } from './cluster/layout.js';
export {
  BEAT_MS,
  DRAIN_ASKED,
  LIVE_MS,
  type NodeLife,
  type Nodes,
  nodeLife,
} from './cluster/nodes.js';
export type { PauseNumbers, Pauses, SessionPaused } from './cluster/pauses.js';
export type { Bucket, Rates } from './cluster/rates.js';
export { type GroupOptions, openGroupReader } from './ends/end-group.js';
export {
  type EndBatch,
  type EndReader,
  type EndReaderOptions,
  openEndReader,
  type ReadEnd,
} from './ends/end-reader.js';
export type { EndEntry, SessionEnds } from './ends/session-ends.js';
export { inspectRedis, type RedisReport } from './inspect-redis.js';
export { type Damage, jsonObject, readable } from './keys/damage.js';
export {
  type Keys,
  makeKeys,
  type PermitScope,
  principalHash,
  type RateKind,
  sessionKeyId,
} from './keys/keys.js';
export type { Lease, Leases, Retry, TurnEnd } from './leases/lease.js';
export { LEASES_MAX, type ManyLeases, type ManyRenewed } from './leases/many-leases.js';
export type { Permits } from './leases/permits.js';
export {
  type FreeSession,
  RING_QUEUE,
  type RingJob,
  type RingOptions,
  type RingQueues,
  type Rings,
} from './leases/ring.js';
export type { Sweep } from './leases/sweep.js';
export { decodeWake, headOfWake, type Wake } from './leases/wake.js';
export { inspectMember, type MemberReport } from './locks/inspect-member.js';
export { type Claim, NoMajority } from './locks/locks.js';
export type { Members } from './locks/members.js';
export { cancelMove, type Migrated, type MigrateMode, migrate } from './migrate/migrate.js';
export { newProgress, type Progress } from './migrate/progress.js';
export { migrateCalls } from './migrate/scripts-migrate.js';
export { openStore, type Store } from './open-store.js';
export { inspectSentinels, type SentinelReport } from './primary/inspect-sentinels.js';
export type { Credentials, SentinelAddress, SentinelNode } from './primary/sentinel.js';
export type { Reading } from './reads/bulk-reads.js';
export { addressOfSentinel, type RedisAddress, withoutSecrets } from './redis/address.js';
export type { Channels } from './redis/channels.js';
export {
  addressOfMember,
  type ClusterMember,
  clusterMembers,
  hasKey,
} from './redis/cluster/members.js';
export { UNNAMED_CALL } from './redis/connect.js';
export { RING_BLOCK_MS } from './redis/connections.js';
export type { DurabilityWait } from './redis/durability.js';
export { type Refusal, serverRefusal } from './redis/server-check.js';
export { RIGHTS_REMEDY, redisRemedy } from './redis/start-fault.js';
export {
  CallerGone,
  StoreBusy,
  StoreFull,
  StoreUnavailable,
  whyUnavailable,
} from './redis/unavailable.js';
export { DamagedKey } from './script/damaged-key.js';
export {
  failpointCalls,
  fencedScriptNames,
  type PlainCall,
  scriptNames,
} from './script/failpoints.js';
export type {
  CommitReply,
  DrawReply,
  HeadReply,
  LeaseReleased,
  LeaseRenewed,
  NodeBeat,
  ReleaseReply,
  SweepReply,
} from './script/scripts.js';
export { infoField, serverTitle } from './server/server-info.js';
export { type TlsFiles, tlsOptions } from './server/tls-context.js';
export type {
  DeadLetter,
  DeadLetters,
  LetterCursor,
  Retried,
  RetryCursor,
} from './session/dead-letters.js';
export {
  decodePublished,
  type LogEvent,
  type LoggedEvent,
  type LogPage,
  type LogRange,
  streamFields,
} from './session/event-log.js';
export { decodeHistory, type HistoryPlace } from './session/history-line.js';
export type { Abort, Appended, Inbox, NewMessage } from './session/inbox.js';
export {
  acceptedAtMs,
  decodeEntry,
  decodeInput,
  entryMessageId,
  type InboxEntry,
  userMessage,
} from './session/inbox-entry.js';
export type {
  HistoryPage,
  ResumeMark,
  Sessions,
  SessionView,
  SessionWork,
} from './session/session.js';
export type { AttachAnswer, AttachRequest } from './session/session-attach.js';
export type { SessionCursor, SessionList, SessionSummary } from './session/session-list.js';
export type { Patched } from './session/session-metadata.js';
export type { SessionRef } from './session/session-ref.js';
