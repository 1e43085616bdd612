export { type RedisAddress, withoutSecrets } from './address.js';
export type { Reading } from './bulk-reads.js';
export type { Channels } from './channels.js';
export { UNNAMED_CALL } from './connect.js';
export { RING_BLOCK_MS } from './connections.js';
export { type Damage, jsonObject, readable } from './damage.js';
export { DamagedKey } from './damaged-key.js';
export type {
  DeadLetter,
  DeadLetters,
  LetterCursor,
  Retried,
  RetryCursor,
} from './dead-letters.js';
export type { DurabilityWait } from './durability.js';
export { type GroupOptions, openGroupReader } from './end-group.js';
export {
  type EndBatch,
  type EndReader,
  type EndReaderOptions,
  openEndReader,
  type ReadEnd,
} from './end-reader.js';
export {
  acceptedAtMs,
  decodeEntry,
  decodeInput,
  entryMessageId,
  type InboxEntry,
  userMessage,
} from './entry.js';
export {
  decodePublished,
  type LogEvent,
  type LoggedEvent,
  type LogPage,
  type LogRange,
  streamFields,
} from './event-log.js';
export {
  failpointCalls,
  fencedScriptNames,
  type PlainCall,
  scriptNames,
} from './failpoints.js';
export { decodeHistory, type HistoryPlace } from './history-line.js';
export type { Abort, Appended, Inbox, NewMessage } from './inbox.js';
export { inspectRedis, type RedisReport } from './inspect.js';
export {
  type Keys,
  makeKeys,
  type PermitScope,
  principalHash,
  type RateKind,
  sessionKeyId,
} from './keys.js';
export { LAYOUT_BEFORE, LAYOUT_VERSION } from './layout.js';
export type { Claim, Lease, Leases, Retry, TurnEnd } from './lease.js';
export { LEASES_MAX, type ManyLeases } from './many-leases.js';
export { BEAT_MS, DRAIN_ASKED, LIVE_MS, type NodeLife, type Nodes, nodeLife } from './nodes.js';
export { openStore, type Store } from './open-store.js';
export type { PauseNumbers, Pauses, SessionPaused } from './pauses.js';
export type { Permits } from './permits.js';
export type { Bucket, Rates } from './rates.js';
export {
  type FreeSession,
  RING_QUEUE,
  type RingJob,
  type RingOptions,
  type Rings,
} from './ring.js';
export type {
  CommitReply,
  DrawReply,
  HeadReply,
  LeaseReleased,
  LeaseRenewed,
  NodeBeat,
  ReleaseReply,
  SweepReply,
} from './scripts.js';
export { type Refusal, serverRefusal } from './server-check.js';
export type {
  HistoryPage,
  ResumeMark,
  Sessions,
  SessionView,
  SessionWork,
} from './session.js';
export type { AttachAnswer, AttachRequest } from './session-attach.js';
export type { EndEntry, SessionEnds } from './session-ends.js';
export type { SessionCursor, SessionList, SessionSummary } from './session-list.js';
export type { Patched } from './session-metadata.js';
export type { SessionRef } from './session-ref.js';
export { RIGHTS_TODO, redisRemedy } from './start-fault.js';
export type { Sweep } from './sweep.js';
export {
  CallerGone,
  StoreBusy,
  StoreFull,
  StoreUnavailable,
  whyUnavailable,
} from './unavailable.js';
export { decodeWake, headOfWake, type Wake } from './wake.js';
