import { randomBytes } from 'node:crypto';
import type { Durability } from '@sluice/protocol';
import type { Logger, RedisMetrics } from '@sluice/runtime';
import { makeClusterState, makeMeasure } from './cluster/cluster-state.js';
import { type DataSet, makeDataSet } from './cluster/data-set.js';
import { checkLayout } from './cluster/layout.js';
import { makeNodes } from './cluster/nodes.js';
import { makePauses } from './cluster/pauses.js';
import { makeRates } from './cluster/rates.js';
import { makeSessionEnds } from './ends/session-ends.js';
import { makeDamageLog } from './keys/damage.js';
import { makeKeys } from './keys/keys.js';
import { makeLeases } from './leases/lease.js';
import { makeManyLeases } from './leases/many-leases.js';
import { makePermits } from './leases/permits.js';
import { makeRings } from './leases/ring.js';
import { makeRingQueues } from './leases/ring-queues.js';
import { makeSweep } from './leases/sweep.js';
import { type Members, openMembers } from './locks/members.js';
import { makeOwnLocks } from './locks/own-locks.js';
import { makeQuorumLocks } from './locks/quorum-locks.js';
import { makeBulkReads } from './reads/bulk-reads.js';
import type { RedisAddress } from './redis/address.js';
import { openClusterConnections } from './redis/cluster/open-cluster.js';
import { openConnections } from './redis/connections.js';
import type { DurabilityWait } from './redis/durability.js';
import { makeMemoryWatch } from './redis/memory.js';
import { checkServer } from './redis/server-check.js';
import { startFault } from './redis/start-fault.js';
import { checkRights } from './rights/rights.js';
import { limitArgs, type StoreLimits } from './script/limits.js';
import { makeDeadLetters } from './session/dead-letters.js';
import { makeInbox } from './session/inbox.js';
import { makePrincipalBytes } from './session/principal-bytes.js';
import { makeSessions } from './session/session.js';
import { makeSessionList } from './session/session-list.js';

export type StoreOptions = {
  readonly address: RedisAddress;
  readonly prefix: string;
  readonly partitions: number;
  readonly durability?: Durability;
  readonly nodeId: string;
  readonly limits: StoreLimits;
  /** Of all sessions of one principal; 0, the default: no limit. */
  readonly maxBytesPerPrincipal?: number;
  readonly sweepIntervalMs: number;
  /** URLs of the independent masters that have the Redlocks; none: the data Redis has them. */
  readonly quorum?: readonly string[];
  readonly sessionEnd: { stream: string; maxLength: number; groups: readonly string[] };
  /** Processes that beat, this one included (`Store.processId`). */
  liveProcesses?(): readonly string[];
  /** Counts calls to Redis; left out: nothing is counted. */
  readonly calls?: RedisMetrics;
  /** Ends a start that still waits for Redis. */
  readonly stop?: AbortSignal;
  readonly log: Logger;
};

/** Queues on a cluster: enough that each of a few masters has some. */
const RING_QUEUES = 8;

export type Store = Awaited<ReturnType<typeof openStore>>;

/**
 * Connects to Redis, checks the layout and builds the parts. They share one connection for commands; large
 * reads have another one.
 * Throws StartError: 75 when Redis cannot be reached, 78 when its data does not fit.
 */
export async function openStore(options: StoreOptions) {
  const { address, nodeId, limits, log } = options;
  const keys = makeKeys(options.prefix, options.partitions);
  const memory = makeMemoryWatch((isFull, { usedBytes: used_bytes, maxBytes: max_bytes }) =>
    isFull
      ? log.warn(
          { used_bytes, max_bytes },
          'redis is nearly full: no new messages and sessions until there is room',
        )
      : log.info({ used_bytes, max_bytes }, 'redis has room again'),
  );
  const { calls, stop } = options;
  const open = address.nodes ? openClusterConnections : openConnections;
  const connections = await open({
    ...{ address, nodeId, keys, memory, calls, stop, log },
    limits: limitArgs(limits),
  });
  const { commands: connection, channels, onError } = connections;
  const bulk = makeBulkReads(connections.bulk);
  const sessionEnds = makeSessionEnds(connection, keys, options.sessionEnd);
  const prepare = async () => {
    const id = await checkLayout(connection, keys);
    await sessionEnds.prepare();
    return id;
  };
  let dataSet: DataSet;
  let durability: DurabilityWait;
  let quorum: Members | undefined;
  try {
    await checkServer(connection, log);
    await checkRights(connections, keys);
    dataSet = makeDataSet(await prepare(), prepare);
    const { quorum: urls = [] } = options;
    if (urls.length > 0) {
      quorum = await openMembers({
        urls,
        tls: address.tls,
        nodeId,
        keys,
        ttlMs: limits.ttlMs,
        stop,
        log,
      });
    }
    durability = await connections.openDurability(options.durability ?? 'memory');
  } catch (error) {
    quorum?.close();
    await connections.close();
    throw startFault(address, error);
  }
  const ringQueues = {
    connection: connections.rings,
    ...makeRingQueues(connections, keys, address.nodes ? RING_QUEUES : 1),
  };
  const rings = makeRings(ringQueues, {
    onFailed: (err) => log.warn({ err }, 'ring failed'),
    onError,
  });
  // A node that is started again under its id is another process, and has none of the connections.
  // The id is short, since every resume mark has it; no node has a `~` in its id.
  const processId = `~${randomBytes(6).toString('base64url')}`;
  const bytes = makePrincipalBytes(connection, keys, {
    maxBytes: options.maxBytesPerPrincipal ?? 0,
    liveNodes: () => options.liveProcesses?.().length ?? 1,
  });
  const { ttlMs } = limits;
  const locks = quorum
    ? makeQuorumLocks(quorum, keys, { ttlMs })
    : makeOwnLocks(connection, keys, { ttlMs });
  const leases = makeLeases(connection, keys, { bulk, nodeId, ttlMs, locks });
  const measure = makeMeasure(connection, keys);
  const pauses = makePauses(connection, keys, { rings, leases });
  const nodes = makeNodes(connection, keys, nodeId);
  const damage = makeDamageLog(log);
  return {
    processId,
    dataSet,
    damage,
    keys,
    channels,
    rings,
    ringQueues,
    durability,
    sessionEnds,
    sessions: makeSessions(connection, keys, {
      nodeId,
      processId,
      liveProcesses: options.liveProcesses ?? (() => [processId]),
      memory,
      bulk,
    }),
    sessionList: makeSessionList(connection, keys),
    inbox: makeInbox(connection, keys, { rings, memory, bytes }),
    deadLetters: makeDeadLetters(connection, keys, { rings, memory }),
    leases,
    manyLeases: makeManyLeases(connection, keys, { ttlMs, locks }),
    quorum,
    pauses,
    nodes,
    sweep: makeSweep(connection, keys, {
      intervalMs: options.sweepIntervalMs,
      leaseTtlMs: ttlMs,
      damage,
    }),
    bytes,
    permits: makePermits(connection, keys, { nodeId, ttlMs }),
    rates: makeRates(connection, keys),
    measure,
    clusterState: makeClusterState(connection, keys, {
      measure,
      stream: options.sessionEnd.stream,
      nodes,
      pauses,
    }),
    /** False as soon as the connection for commands is closed: a call would be refused now. */
    isReachable: () => connection.isReady() && connections.isBeating(),
    /** Makes an error of this Redis during a start into a StartError that says what to do; others stay. */
    startFault: (error: unknown) => startFault(address, error),
    async close(): Promise<void> {
      durability.close();
      quorum?.close();
      await rings.close();
      await connections.close();
    },
  };
}
