import { fileURLToPath } from 'node:url';
import { type Agent, makeAgent, type ProcessEvent } from '@sluice/agents';
import {
  armFailpoint,
  exitStatus,
  type Logger,
  makeLifecycle,
  monotonicMs,
  type OnSecretFault,
  SECRET_NOT_READ,
  type SecretFault,
  StartError,
  within,
} from '@sluice/runtime';
import { failpointCalls, openStore, type Store } from '@sluice/store';
import { watchProcesses } from './agent-processes.js';
import type { Config } from './config/config-types.js';
import { drainNode } from './drain.js';
import { type RunningEdge, startEdge } from './edge/edge.js';
import { makeProbes } from './edge/probes.js';
import { makeLog } from './log.js';
import { type Metrics, makeMetrics } from './metrics.js';
import { onUncaught } from './node/last-words.js';
import { type Presence, startPresence } from './node/presence.js';
import { onStopSignals } from './node/stop-signals.js';
import { startSummary } from './node/summary.js';
import { VERSION } from './node/version.js';
import { redisAddress } from './redis-address.js';
import { openTracing } from './tracing/open-tracing.js';
import type { Tracing } from './tracing/tracing.js';
import { type RunningWorker, startWorker } from './worker/worker.js';

/** If the drain itself fails, the process still ends within the 2 s of D7. */
const EXIT_LIMIT_MS = 1_700;
/** Time to close agents and spans. Every session is released by then; the rest ends with the process. */
const CLOSE_MS = 200;

/**
 * Builds one node and runs it until a signal or an operator stops it. Resolves with the exit status. Throws StartError
 * when the node cannot start.
 */
export async function startGateway(
  config: Config,
  { baseDir }: { baseDir: string },
): Promise<number> {
  armFailpoint(process.env, failpointCalls);
  const { gateway } = config;
  const log = makeLog(config.log, { node_id: gateway.nodeId });
  onUncaught(log);
  const lifecycle = makeLifecycle(log);
  const signals = onStopSignals(log);
  const stop = new AbortController();
  let giveUp: NodeJS.Timeout | undefined;
  // Also during the start: a start that hangs must end too.
  signals.first.then(() => {
    stop.abort();
    giveUp = exitWithin(gateway.drainTimeoutMs + EXIT_LIMIT_MS, log);
  });
  signals.second.addEventListener('abort', () => exitWithin(EXIT_LIMIT_MS, log));
  const tracing = await openTracing(config.telemetry, { nodeId: gateway.nodeId, log });
  const onSecretFault = (fault: SecretFault) => log.error(fault, SECRET_NOT_READ);
  let presence: Presence | undefined;
  let worker: RunningWorker | undefined;
  let edge: RunningEdge | undefined;
  let drainingSinceMs = 0;
  const state = () =>
    edge && {
      webSockets: edge.connections.size,
      streams: edge.streams.size,
      executing: worker?.context.slots.taken ?? 0,
      waiting: worker?.context.slots.waiting ?? 0,
      concurrency: worker ? config.worker.concurrency : 0,
      lingering: worker?.context.lingering.size ?? 0,
      drainingSinceMs,
      isRedisUp: store.isReachable(),
      quorum: store.quorum && {
        answering: store.quorum.answering(),
        members: store.quorum.clients.length,
      },
    };
  const cluster = () => store.clusterState();
  const metrics = makeMetrics(config.agents, { cluster, state });
  const onProcess = (agent: string) =>
    watchProcesses(agent, log, () => metrics.worker.processEnd(agent));
  const agents = await makeAgents(config, { baseDir, onSecretFault, onProcess });
  const store = await openStore({
    address: redisAddress(config.redis, onSecretFault),
    prefix: config.redis.prefix,
    partitions: config.redis.partitions,
    durability: config.redis.durability,
    nodeId: gateway.nodeId,
    limits: storeLimits(config),
    maxBytesPerPrincipal: config.session.maxBytesPerPrincipal,
    sweepIntervalMs: config.worker.sweepIntervalMs,
    // Only workers take leases.
    quorum: gateway.roles.includes('worker') ? config.lease.quorum : [],
    sessionEnd: config.sessionEnd,
    liveProcesses: () => presence?.liveProcesses() ?? [],
    calls: metrics.redis,
    stop: stop.signal,
    log,
  });
  presence = await startPresence({
    nodes: store.nodes,
    channels: store.channels,
    keys: store.keys,
    processId: store.processId,
    nodeId: gateway.nodeId,
    roles: gateway.roles,
    agents: [...agents.keys()],
    load: () => ({
      connections: edge?.connections.size ?? 0,
      executing: worker?.context.slots.taken ?? 0,
      concurrency: worker ? config.worker.concurrency : 0,
    }),
    onDataSet: async (id) => {
      const isReplaced = await store.dataSet.isReplaced(id).catch((err) => {
        if (!(err instanceof StartError)) throw err;
        log.error({ err }, 'the data in redis was replaced by other data: stopping');
        signals.ask();
        return false;
      });
      if (!isReplaced) return;
      log.error('the data in redis was deleted: every connection is told');
      edge?.context.fanOut.repairAll();
    },
    onDrainAsked: signals.ask,
    log,
  }).catch((error) => {
    throw store.startFault(error);
  });
  const isDraining = () => lifecycle.phase !== 'starting' && lifecycle.phase !== 'ready';
  const probes = makeProbes({
    nodeId: gateway.nodeId,
    isStarting: () => lifecycle.phase === 'starting',
    isDraining,
    isRedisReachable: () => store.isReachable(),
    hasMajority: () => !store.quorum || store.quorum.answering() >= store.quorum.majority,
  });
  const { hasAgent, liveWorkers, takeRoomElsewhere, onNodeMessage } = presence;
  const { stop: withdraw } = presence;
  edge = await startEdge({
    store,
    config,
    metrics: metrics.edge,
    metricsText: metrics.text,
    log,
    tracing,
    probes: probes.routes,
    publicFile: gateway.console
      ? fileURLToPath(new URL('../public/index.html', import.meta.url))
      : null,
    hasAgent,
    isDraining,
    liveNodes: presence.liveNodes,
    info: (connections, sessions) => ({
      name: 'sluice',
      version: VERSION,
      node_id: gateway.nodeId,
      agents: Object.entries(config.agents).map(([id, { kind }]) => ({ id, kind })),
      sessions,
      connections,
      live_workers: liveWorkers().length,
    }),
  }).catch(async (error) => {
    await withdraw(); // the beats must end: other nodes count on this one
    throw error;
  });
  // After the ports are bound: if that fails, a lease that was taken before would block its session for its TTL.
  worker = gateway.roles.includes('worker')
    ? await startWorkerRole(config, {
        ...{ store, agents, metrics, log, tracing, hasAgent, liveWorkers },
        ...{ takeRoomElsewhere, onNodeMessage },
      })
    : undefined;
  lifecycle.enter('ready');
  const { port, adminPort } = edge.server;
  const admin = adminPort === null ? {} : { admin_port: adminPort };
  log.info({ port, ...admin, host: gateway.host, roles: gateway.roles }, 'ready');
  const summary = startSummary({ log, state, counts: metrics.counts });

  await signals.first;
  drainingSinceMs = monotonicMs();
  lifecycle.enter('draining');
  log.info('draining');
  const parts = { edge, worker, presence, store, log };
  const status = await drainNode(parts, gateway, signals.second);
  lifecycle.enter('drained');
  probes.stop();
  summary.stop();
  const closing = [closeAgents(agents, log), tracing.close().catch(() => undefined)];
  await within(Promise.all(closing), CLOSE_MS);
  clearTimeout(giveUp);
  lifecycle.enter('stopped');
  return status;
}

/** Ends the process when the drain takes longer than this, whatever holds it up. */
function exitWithin(ms: number, log: Logger): NodeJS.Timeout {
  return setTimeout(() => {
    log.error('not drained in time');
    process.exit(exitStatus.tempFail);
  }, ms);
}

type AgentsOptions = {
  readonly baseDir: string;
  readonly onSecretFault: OnSecretFault;
  onProcess(agent: string): (event: ProcessEvent) => void;
};

async function makeAgents(
  config: Config,
  { onProcess, ...options }: AgentsOptions,
): Promise<Map<string, Agent>> {
  const { maxReplyBytes } = config.gateway;
  const agents = new Map<string, Agent>();
  for (const [name, agent] of Object.entries(config.agents)) {
    const given = { ...options, maxReplyBytes, onProcess: onProcess(name) };
    agents.set(name, await makeAgent(name, agent, given));
  }
  return agents;
}

async function closeAgents(agents: ReadonlyMap<string, Agent>, log: Logger): Promise<void> {
  const close = async (agent: Agent) => agent.close?.(); // async: a close that throws becomes a rejection
  await Promise.all(
    [...agents].map(([name, agent]) =>
      close(agent).catch((err) => log.warn({ err, agent: name }, 'agent not closed')),
    ),
  );
}

function storeLimits({ lease, worker, session }: Config) {
  return {
    ttlMs: lease.ttlMs,
    maxAttempts: worker.maxAttempts,
    maxHandOvers: worker.maxHandOvers,
    maxInbox: session.maxInbox,
    maxInboxBytes: session.maxInboxBytes,
    maxEvents: session.maxEvents,
    maxLogBytes: session.maxLogBytes,
    maxMessages: session.maxMessages,
    maxSeen: session.maxSeen,
    maxDead: session.maxDead,
    resumeWindowMs: session.resumeWindowMs,
  };
}

type WorkerRole = {
  readonly store: Store;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly tracing: Tracing;
  hasAgent(agent: string): boolean;
  liveWorkers(): string[];
  takeRoomElsewhere(agent: string): boolean;
  onNodeMessage(listener: (message: string) => void): void;
};

function startWorkerRole(config: Config, role: WorkerRole): Promise<RunningWorker> {
  const { gateway, lease, worker, session } = config;
  return startWorker({
    ...role,
    metrics: role.metrics.worker,
    nodeId: gateway.nodeId,
    concurrency: worker.concurrency,
    sweepIntervalMs: worker.sweepIntervalMs,
    maxConcurrent: new Map(
      Object.entries(config.agents).flatMap(([name, { maxConcurrent }]) =>
        maxConcurrent === undefined ? [] : [[name, maxConcurrent]],
      ),
    ),
    maxTurnsPerPrincipal: worker.maxTurnsPerPrincipal,
    limits: {
      leaseTtlMs: lease.ttlMs,
      lingerMs: lease.lingerMs,
      maxLingering: lease.maxLingering,
      leaseMaxAgeMs: lease.maxAgeMs,
      maxHeldHistoryBytes: lease.maxHeldHistoryBytes,
      perTurnTimeoutMs: gateway.perTurnTimeoutMs,
      maxMessages: session.maxMessages,
      maxLogBytes: session.maxLogBytes,
      maxTurnsPerLease: worker.maxTurnsPerLease,
      deltaIntervalMs: session.deltaIntervalMs,
    },
  });
}
