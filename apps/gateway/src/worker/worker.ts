import type { Agent } from '@sluice/agents';
import type { Logger } from '@sluice/runtime';
import { decodeWake, NoMajority, type RingJob, type Store } from '@sluice/store';
import type { Tracing } from '../tracing/tracing.js';
import { consume } from './consume.js';
import { makeDeltaPace } from './gates/delta-pace.js';
import { makeLastAttempts } from './gates/last-attempts.js';
import { makeMissingAgents } from './gates/missing-agent.js';
import { makeTurnPermits } from './gates/permits.js';
import { makeSlots } from './gates/slots.js';
import type { WorkerContext, WorkerCounts, WorkerLimits } from './held/context.js';
import { makeHistoryRoom } from './held/held-history.js';
import { renewIntervalMs } from './held/lease-keeper.js';
import { makeLingering } from './held/lingering.js';
import { makeReleases } from './held/releases.js';
import { makeRenewals } from './held/renewals.js';
import { passOn, serveSession, takeSession } from './run-session.js';
import { startSweeping } from './sweep.js';

const MISSING_AGENT_DELAY_MS = 1_000;
/**
 * Without a majority a ring waits here for this time, then comes back after one to two such times: a node passes on no
 * more rings in a second than it has slots, and a node that reaches the quorum gets them.
 */
const NO_MAJORITY_MS = 1_000;
/** Clocks of nodes differ: a ring counts as waiting for at most this time. */
const WAITED_MAX_MS = 10_000;

export type WorkerOptions = {
  readonly store: Store;
  readonly nodeId: string;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly limits: WorkerLimits;
  readonly concurrency: number;
  readonly sweepIntervalMs: number;
  /** Agents with `max_concurrent`. */
  readonly maxConcurrent: ReadonlyMap<string, number>;
  readonly maxTurnsPerPrincipal: number;
  readonly metrics: WorkerCounts;
  readonly log: Logger;
  readonly tracing: Tracing;
  liveWorkers(): readonly string[];
  /** Counts on one of the slots that other workers with this agent had free lately; false: there is none. */
  takeRoomElsewhere(agent: string): boolean;
  /** Sets the function that gets what is published to this node. */
  onNodeMessage(listener: (message: string) => void): void;
  /** Whether some live node, this one included, has the agent. */
  hasAgent(agent: string): boolean;
};

export type RunningWorker = Awaited<ReturnType<typeof startWorker>>;

/** Starts the worker role: takes rings, hears wakes and aborts, sweeps. */
export async function startWorker(options: WorkerOptions) {
  const { store, nodeId, log, limits } = options;
  const context: WorkerContext = {
    leases: store.leases,
    quorum: store.quorum,
    renewals: makeRenewals({
      manyLeases: store.manyLeases,
      ttlMs: limits.leaseTtlMs,
      damage: store.damage,
      log,
    }),
    releases: makeReleases(store.manyLeases, store.keys.partitionOf),
    rings: store.rings,
    ends: store.sessionEnds,
    keys: store.keys,
    agents: options.agents,
    limits,
    metrics: options.metrics,
    log,
    tracing: options.tracing,
    slots: makeSlots(options.concurrency),
    takeRoomElsewhere: options.takeRoomElsewhere,
    pace: makeDeltaPace(limits.deltaIntervalMs),
    permits: makeTurnPermits({
      permits: store.permits,
      ttlMs: limits.leaseTtlMs,
      keepMs: renewIntervalMs(limits.leaseTtlMs),
      maxConcurrent: options.maxConcurrent,
      maxTurnsPerPrincipal: options.maxTurnsPerPrincipal,
      onFree: (id) => {
        passOn(context, id, 0).catch((err) => log.debug({ err }, 'waiting session not rung'));
      },
      onError: (err) => log.error({ err }, 'permits failed'),
    }),
    lastAttempts: makeLastAttempts(),
    damage: store.damage,
    failing: new Map(),
    held: new Map(),
    phase: 'running',
    lingering: makeLingering({ lingerMs: limits.lingerMs, max: limits.maxLingering }),
    historyRoom: makeHistoryRoom(limits.maxHeldHistoryBytes),
  };
  const serving = new Set<Promise<void>>();
  options.onNodeMessage((message) => hear(context, message));
  const consumer = consume(ringListener(context, serving, options), {
    queues: store.ringQueues,
    concurrency: options.concurrency,
    leaseTtlMs: limits.leaseTtlMs,
    onError: (err) => log.debug({ err }, 'ring consumer failed'),
  });
  const sweeping = startSweeping({
    sweep: store.sweep,
    pauses: store.pauses,
    rings: store.rings,
    ends: store.sessionEnds,
    damage: store.damage,
    nodeId,
    partitions: store.keys.partitions,
    intervalMs: options.sweepIntervalMs,
    leaseTtlMs: limits.leaseTtlMs,
    onRung: options.metrics.sweepRings,
    log,
    liveWorkers: options.liveWorkers,
  });
  return { context, consumer, sweeping, serving };
}

/** A wake, or `abort <id>` / `ended <id>`, which are only hints: the renewal brings the fact. */
function hear(context: WorkerContext, message: string): void {
  const wake = decodeWake(message);
  if (wake) return context.held.get(wake.id)?.wake(wake);
  context.held.get(message.slice(message.indexOf(' ') + 1))?.keeper.check();
}

function ringListener(
  context: WorkerContext,
  serving: Set<Promise<void>>,
  { hasAgent }: WorkerOptions,
) {
  const options = { hasAgent, missing: makeMissingAgents() };
  // The job of BullMQ ends when the session is first idle; the session lingers without it.
  return (ring: RingJob) =>
    new Promise<void>((resolve) => {
      const served = answerRing(context, ring, { ...options, onIdle: resolve })
        .catch((err) => context.log.error({ err, session: ring.id }, 'session failed'))
        .finally(() => {
          serving.delete(served);
          resolve();
        });
      serving.add(served);
    });
}

/** Answers a ring. Resolves when the session is given up: a drain waits for it. */
async function answerRing(
  context: WorkerContext,
  ring: RingJob,
  { onIdle, ...options }: TakeOptions & { onIdle(): void },
): Promise<void> {
  if (context.phase !== 'running') return passOn(context, ring.id, 0);
  const sinceMs = waitingSinceMs(ring);
  if (!((await context.quorum?.reached(NO_MAJORITY_MS)) ?? true)) {
    return noMajority(context, ring, sinceMs);
  }
  if (!(await context.slots.take({ sinceMs }))) {
    return passOn(context, ring.id, 0, sinceMs);
  }
  if (context.phase !== 'running') {
    context.slots.give();
    return passOn(context, ring.id, 0);
  }
  const taken = await take(context, ring, options).catch(async (err) => {
    if (err instanceof NoMajority) return noMajority(context, ring, sinceMs);
    context.log.warn({ err, session: ring.id }, 'ring not answered'); // the sweep rings again
  });
  if (!taken) return context.slots.give();
  await serveSession(context, taken, onIdle);
}

/** No lease can be taken: the ring comes back later, here or elsewhere. The lines of members.ts tell why. */
async function noMajority(context: WorkerContext, ring: RingJob, sinceMs: number): Promise<void> {
  context.metrics.noMajority();
  const delayMs = Math.round(NO_MAJORITY_MS * (1 + Math.random()));
  await passOn(context, ring.id, delayMs, sinceMs);
}

function waitingSinceMs({ sinceMs }: RingJob): number {
  const nowMs = Date.now();
  return Math.min(nowMs, Math.max(nowMs - WAITED_MAX_MS, sinceMs ?? nowMs));
}

type TakeOptions = {
  hasAgent(agent: string): boolean;
  readonly missing: ReturnType<typeof makeMissingAgents>;
};

async function take(context: WorkerContext, ring: RingJob, { hasAgent, missing }: TakeOptions) {
  const taken = await takeSession(context, ring, (agent) => {
    if (context.agents.has(agent)) return true;
    if (!hasAgent(agent)) return missing.giveUp(ring.id);
    missing.forget(ring.id);
    return false;
  });
  if (taken === 'not_here') {
    await passOn(context, ring.id, MISSING_AGENT_DELAY_MS);
    return undefined;
  }
  missing.forget(ring.id);
  return taken;
}
