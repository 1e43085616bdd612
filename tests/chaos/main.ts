import { writeFileSync } from 'node:fs';
import { runFailovers } from './failover-run.js';
import type { Levelling } from './level.js';
import type { ChaosOptions, FaultName } from './options.js';
import { parseOptions, usage } from './options.js';
import { type ChaosResult, runChaos } from './rig.js';
import { quantile } from './strain.js';

/** Limit of D5. */
const handOverMaxMs = 1_000;
/** Limit of C1, on top of the TTL of the lease. */
const takeoverMaxMs = 2_000;

function levelOf({ before, after, ms }: Levelling): string {
  const when = ms === undefined ? 'never' : `after ${(ms / 1_000).toFixed(1)} s`;
  return `${when} (${before.join('/')} to ${after.join('/')})`;
}

/** The summary line; `-` where nothing was measured. */
function summary({ seed }: ChaosOptions, result: ChaosResult): string {
  const { history, pauses, refusals, leftover, exits } = result;
  const { totals, findings } = result.verdict;
  const slowest = (ms: readonly number[]) =>
    ms.length === 0
      ? '-'
      : `${Math.round(quantile(ms, 1))} ms (p99 ${Math.round(quantile(ms, 0.99))}) of ${ms.length}`;
  const fields = {
    seed,
    messages: totals.messages,
    turns: history.turns.length,
    faults: history.faults.length,
    'forced closes': history.forcedCloses.length,
    lost: totals.lost,
    doubled: totals.doubled,
    reordered: totals.reordered,
    overlaps: totals.overlaps,
    'other findings':
      findings.length -
      (totals.lost + totals.doubled + totals.reordered + totals.overlaps) +
      result.oddities.length,
    'slowest takeover': slowest(pauses.takeovers),
    'through another fault': slowest(pauses.brokenTakeovers.map(({ ms }) => ms)),
    'slowest hand-over': slowest(pauses.handOvers),
    'seen at the agents': slowest(pauses.seenHandOvers),
    '5xx': refusals.filter(({ status }) => status >= 500).length,
    'failed upgrades': refusals.filter(({ status }) => status < 500).length,
    ...(result.levelling && { level: levelOf(result.levelling) }),
    'leftover keys': leftover.length,
    exits: `${exits.filter((status) => status === 0).length} of ${exits.length} with status 0`,
    'slowest tick of the rig': `${Math.round(result.strain.loopMs)} ms`,
    'Redis p99': `${Math.round(result.strain.redisMs)} ms`,
  };
  const text = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
  return `chaos: ${text.join(', ')}`;
}

/** Why a run proves nothing: it met too few of the events that it tests. Ten minutes are the measure. */
function voidBecause({ seconds, rounds, faults }: ChaosOptions, result: ChaosResult): string[] {
  const isNeeded = (...names: FaultName[]) => names.some((name) => faults.includes(name));
  const { pauses, exits } = result;
  const none = [
    ...(isNeeded('drain', 'rolling') && pauses.handOvers.length === 0 ? ['hand-over'] : []),
    ...(faults.length === 1 && isNeeded('kill') && pauses.takeovers.length === 0
      ? ['takeover']
      : []),
    ...(exits.length === 0 ? ['exit'] : []),
  ];
  if (none.length > 0) return [`void: no ${none.join(', no ')}`];
  if (rounds !== undefined || !isNeeded('drain') || seconds < 60) return [];
  const enough = (what: string, found: number, inTenMinutes: number) => {
    const least = Math.floor((inTenMinutes * seconds) / 600);
    return found < least ? [`void: ${found} ${what}, at least ${least} are asked for`] : [];
  };
  return [
    ...enough('forced closes', result.history.forcedCloses.length, 20),
    ...enough('hand-overs', result.pauses.handOvers.length, 200),
  ];
}

async function main(): Promise<number> {
  let options: ChaosOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`);
    return 78;
  }
  const startedMs = performance.now();
  const tell = (line: string) => {
    const at = ((performance.now() - startedMs) / 1_000).toFixed(1);
    if (options.verbose) process.stderr.write(`${at} s: ${line}\n`);
  };
  if (options.topology === 'sentinel') return runFailovers(options, tell);
  const result = await runChaos(options, tell);
  if (options.keep) writeFileSync(options.keep, JSON.stringify(result.history));
  for (const { kind, session, detail } of result.verdict.findings.slice(0, 50)) {
    process.stderr.write(`${kind} ${session}: ${detail}\n`);
  }
  const faults = [
    ...result.oddities,
    // A plain TCP balancer cannot retry a refused upgrade on another node.
    ...(options.balancer === 'haproxy' ? result.refusals : []).map(
      ({ status, why }) => `refused with ${status || 'no answer'}: ${why}`,
    ),
    ...result.pauses.handOvers
      .filter((ms) => ms > handOverMaxMs)
      .map((ms) => `a hand-over took ${Math.round(ms)} ms, at most ${handOverMaxMs} are allowed`),
    ...result.pauses.takeovers
      .filter((ms) => ms > options.leaseTtlMs + takeoverMaxMs)
      .map((ms) => `a takeover took ${Math.round(ms)} ms with nothing else broken`),
    ...result.leftover.map((key) => `left over: ${key}`),
    ...voidBecause(options, result),
  ];
  const isLong = ({ ms }: { ms: number }) => ms > options.leaseTtlMs + takeoverMaxMs;
  for (const { session, ms, through } of result.pauses.brokenTakeovers.filter(isLong)) {
    process.stderr.write(
      `${session} taken over after ${Math.round(ms)} ms, with ${through.join(', ')}\n`,
    );
  }
  for (const what of faults.slice(0, 100)) process.stderr.write(`${what}\n`);
  process.stdout.write(`${summary(options, result)}\n`);
  return result.verdict.findings.length + faults.length > 0 ? 1 : 0;
}

process.exit(await main());
