import { randomBytes } from 'node:crypto';
import type { Durability } from '@sluice/protocol';
import {
  exitStatus,
  type Logger,
  monotonicMs,
  type RedisMetrics,
  StartError,
  sleep,
} from '@sluice/runtime';
import type { RedisAddress } from './address.js';
import { makeBulkReads } from './bulk-reads.js';
import { makeChannels } from './channels.js';
import { type ConnectionPart, connectionName, openForRings, openPatient } from './clients.js';
import { makeClusterState, makeMeasure } from './cluster-state.js';
import { connect } from './connect.js';
import { makeDamageLog } from './damage.js';
import { makeDeadLetters } from './dead-letters.js';
import { type DurabilityWait, openDurability } from './durability.js';
import { type InboxLimits, makeInbox } from './inbox.js';
import { makeKeys } from './keys.js';
import { checkLayout } from './layout.js';
import { type LeaseLimits, makeLeases } from './lease.js';
import { makeMemoryWatch } from './memory.js';
import { makeNodes } from './nodes.js';
import { makePauses } from './pauses.js';
import { makePermits } from './permits.js';
import { makePrincipalBytes } from './principal-bytes.js';
import { watchPulse } from './pulse.js';
import { makeRates } from './rates.js';
import { makeRings } from './ring.js';
import { checkServer } from './server-check.js';
import { makeSessions } from './session.js';
import { makeSessionEnds } from './session-ends.js';
import { makeSessionList } from './session-list.js';
import { startFault } from './start-fault.js';
import { makeSweep } from './sweep.js';

/** How long a start waits for Redis before it leaves the retry to the supervisor (75). */
const START_WAIT_MS = 5_000;

export type StoreOptions = {
  readonly address: RedisAddress;
  readonly prefix: string;
  readonly partitions: number;
  readonly durability?: Durability;
  readonly nodeId: string;
  readonly limits: InboxLimits & LeaseLimits;
  /** Of all sessions of one principal; 0, the default: no limit. */
  readonly maxBytesPerPrincipal?: number;
  readonly sweepIntervalMs: number;
  readonly sessionEnd: { stream: string; maxLength: number; groups: readonly string[] };
  /** Processes that beat, this one included (`Store.processId`). */
  liveProcesses?(): readonly string[];
  /** How calls fare; nobody is told when it is left out. */
  readonly calls?: RedisMetrics;
  /** Ends a start that still waits for Redis. */
  readonly stop?: AbortSignal;
  readonly log: Logger;
};

/** What Redis has answered (a wrong password) needs no further try; that it is loading does. */
const isRefusal = (error: unknown) =>
  error instanceof Error && error.name === 'ReplyError' && !error.message.startsWith('LOADING');

export type Store = Awaited<ReturnType<typeof openStore>>;

/**
 * Connects to Redis, checks the layout and builds the parts. They share one connection for commands; large
 * reads have another one.
 * Throws StartError: 75 when Redis cannot be reached, 78 when its data does not fit.
 */
export async function openStore(options: StoreOptions) {
  const { address, nodeId, limits, log } = options;
  const keys = makeKeys(options.prefix, options.partitions);
  let reason: unknown = new Error('no answer');
  const onError = (err: unknown) => {
    reason = err;
    log.debug({ err }, 'redis connection failed');
  };
  const named = (part: ConnectionPart) => connectionName(nodeId, part);
  const connection = connect(address, {
    name: named('commands'),
    onError,
    onReady: () => log.debug('redis connected'),
    calls: options.calls,
  });
  const forBulk = connect(address, {
    name: named('bulk'),
    onError,
    onReady: () => {},
    calls: options.calls,
  });
  const closeBoth = async () => {
    await Promise.all([connection.close(), forBulk.close()]);
  };
  const untilMs = monotonicMs() + START_WAIT_MS;
  while (connection.serverId() === undefined || forBulk.serverId() === undefined) {
    const isStopped = options.stop?.aborted === true;
    if (monotonicMs() >= untilMs || isStopped || isRefusal(reason)) {
      await closeBoth();
      throw isStopped
        ? new StartError('told to stop before Redis answered', exitStatus.ok)
        : startFault(address, reason);
    }
    await sleep(10);
  }
  const sessionEnds = makeSessionEnds(connection, keys, options.sessionEnd);
  let durability: DurabilityWait;
  try {
    await checkServer(connection, log);
    await checkLayout(connection, keys);
    await sessionEnds.prepare();
    durability = await openDurability({
      address,
      name: named('durability'),
      level: options.durability ?? 'memory',
      keys,
      onError,
    });
  } catch (error) {
    await closeBoth();
    throw startFault(address, error);
  }
  const bulk = makeBulkReads(forBulk);
  const bullConnection = openForRings(address, nodeId, (blocking) => blocking.on('error', onError));
  bullConnection.on('error', onError);
  const subscriber = openPatient(address, named('subscriber'));
  subscriber.on('error', onError);
  const channels = makeChannels(subscriber);
  const rings = makeRings(bullConnection, keys.ringPrefix, {
    onFailed: (err) => log.warn({ err }, 'ring failed'),
    onError,
  });
  // A node that is started again under its id is another process, and has none of the connections.
  // Short, since it stands in every resume mark; no node has a `~` in its id.
  const processId = `~${randomBytes(6).toString('base64url')}`;
  const memory = makeMemoryWatch((isFull, { usedBytes: used_bytes, maxBytes: max_bytes }) =>
    isFull
      ? log.warn(
          { used_bytes, max_bytes },
          'redis is nearly full: no new messages and sessions until there is room',
        )
      : log.info({ used_bytes, max_bytes }, 'redis has room again'),
  );
  const pulse = watchPulse(connection, memory, (isBeating, silentMs) =>
    isBeating
      ? log.info({ ms: Math.round(silentMs) }, 'redis answers again')
      : log.warn('redis does not answer: nothing is taken in and no turn begins until it does'),
  );
  const bytes = makePrincipalBytes(connection, keys, {
    maxBytes: options.maxBytesPerPrincipal ?? 0,
    liveNodes: () => options.liveProcesses?.().length ?? 1,
  });
  const leases = makeLeases(connection, keys, { bulk, nodeId, limits });
  const measure = makeMeasure(connection, keys);
  const pauses = makePauses(connection, keys, { rings, leases });
  const nodes = makeNodes(connection, keys, nodeId);
  const damage = makeDamageLog(log);
  return {
    processId,
    damage,
    keys,
    channels,
    rings,
    bullConnection,
    durability,
    sessionEnds,
    sessions: makeSessions(connection, keys, {
      nodeId,
      resumeWindowMs: limits.resumeWindowMs,
      maxEvents: limits.maxEvents,
      processId,
      liveProcesses: options.liveProcesses ?? (() => [processId]),
      maxLogBytes: limits.maxLogBytes,
      memory,
      bulk,
    }),
    sessionList: makeSessionList(connection, keys),
    inbox: makeInbox(connection, keys, { rings, limits, memory, bytes }),
    deadLetters: makeDeadLetters(connection, keys, { rings, limits, memory }),
    leases,
    pauses,
    nodes,
    sweep: makeSweep(connection, keys, {
      intervalMs: options.sweepIntervalMs,
      resumeWindowMs: limits.resumeWindowMs,
    }),
    bytes,
    permits: makePermits(connection, keys, { nodeId, ttlMs: limits.ttlMs }),
    rates: makeRates(connection, keys),
    measure,
    clusterState: makeClusterState(connection, keys, {
      measure,
      stream: options.sessionEnd.stream,
      nodes,
      pauses,
    }),
    isReachable: pulse.isBeating,
    /** What this Redis refuses while a node starts, with what to do about it. */
    startFault: (error: unknown) => startFault(address, error),
    async close(): Promise<void> {
      pulse.stop();
      durability.close();
      await rings.close();
      channels.close();
      bullConnection.disconnect();
      await closeBoth();
    },
  };
}
