import { Counter, type Registry } from 'prom-client';
import { counter, counterBy, histogramMs, histogramMsBy } from './instruments.js';

/** An echo takes milliseconds, a model seconds, a chain of tools minutes. */
const TURN_S = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600];
const WAIT_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];
/** D5 promises less than a second. */
const PAUSE_S = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Label for all agents that are not configured here: clients must not be able to create labels. */
const OTHER_AGENT = 'other';

/** Whether the attempts were cut short (crashes, lost leases) or the agent failed in each. */
export type DeadLetterReason = 'attempts_cut_short' | 'agent_failed';

/** Why a turn is tried again later: what the agent said, or the death of the process that ran it. */
export type RetryReason = 'agent_failed' | 'process_died';

export type FinishedTurn<Outcome extends string> = {
  readonly agent: string;
  readonly outcome: Outcome;
  /** From begin to commit. */
  readonly ms: number;
};

export type WorkerMetrics<Outcome extends string> = ReturnType<typeof workerMetrics<Outcome>>;

/** The counters of the worker. `agents`: those of the configuration, some of which run in processes. */
export function workerMetrics<Outcome extends string>(
  registry: Registry,
  { agents, processAgents }: { agents: readonly string[]; processAgents: readonly string[] },
) {
  const known = new Set(agents);
  const turns = new Counter({
    name: 'sluice_turns_total',
    help: 'Turns that were committed, by agent ("other": not configured on this node) and outcome.',
    labelNames: ['agent', 'outcome'],
    registers: [registry],
  });
  const turnMs = histogramMsBy(registry, {
    name: 'sluice_turn_seconds',
    help: 'From the begin of the attempt that ended the turn to its commit, in seconds.',
    label: 'agent',
    buckets: TURN_S,
  });
  return {
    turn({ agent, outcome, ms }: FinishedTurn<Outcome>): void {
      const name = known.has(agent) ? agent : OTHER_AGENT;
      turns.inc({ agent: name, outcome });
      turnMs(name, ms);
    },
    queueWaitMs: histogramMs(registry, {
      name: 'sluice_queue_wait_seconds',
      help: 'From the acceptance of a message to the begin of its first attempt, by the clock of Redis, in seconds.',
      buckets: WAIT_S,
    }),
    leaseAcquired: counter(registry, {
      name: 'sluice_leases_acquired_total',
      help: 'Leases that this node took.',
    }),
    leaseLost: counter(registry, {
      name: 'sluice_leases_lost_total',
      help: 'Leases that were renewed too late, or whose renewal was refused (L4).',
    }),
    noMajority: counter(registry, {
      name: 'sluice_rings_without_majority_total',
      help: 'Rings that came back later since no majority of lease.quorum answered this node.',
    }),
    takeover: counter(registry, {
      name: 'sluice_takeovers_total',
      help: 'Sessions that this node took from a holder that had not released them.',
    }),
    handOver: counter(registry, {
      name: 'sluice_hand_overs_total',
      help: 'Sessions with work that a drain of this node passed on (D2, D3).',
    }),
    handOverPauseMs: histogramMs(registry, {
      name: 'sluice_hand_over_pause_seconds',
      help: 'From the last commit or abort at the draining holder to the begin here, by the clock of Redis, in seconds.',
      buckets: PAUSE_S,
    }),
    turnCut: counter(registry, {
      name: 'sluice_turns_aborted_by_drain_total',
      help: 'Turns that the drain deadline of another node aborted, begun again by this one (D3).',
    }),
    retry: counterBy<RetryReason>(registry, {
      name: 'sluice_turn_retries_total',
      help: 'Attempts after which the message waits for another one: the agent failed, or its process died.',
      label: 'reason',
      kinds: ['agent_failed', 'process_died'],
    }),
    processEnd: counterBy(registry, {
      name: 'sluice_agent_process_ends_total',
      help: 'Processes of an agent that ended by themselves, by agent.',
      label: 'agent',
      kinds: processAgents,
    }),
    deadLetter: counterBy<DeadLetterReason>(registry, {
      name: 'sluice_dead_letters_total',
      help: 'Messages whose attempts were used up: the agent failed in the last one, or they were cut short.',
      label: 'reason',
      kinds: ['attempts_cut_short', 'agent_failed'],
    }),
    sweepRings: counter(registry, {
      name: 'sluice_sweep_rings_total',
      help: 'Sessions with work that the sweep had to ring for: no live holder, and no ring was answered in time.',
    }),
  };
}
