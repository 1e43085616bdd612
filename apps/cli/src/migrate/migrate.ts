import { isRedisUrl } from '@sluice/gateway';
import {
  armFailpoint,
  exitStatus,
  monotonicMs,
  parseDurationMs,
  StartError,
} from '@sluice/runtime';
import {
  cancelMove,
  type Migrated,
  type MigrateMode,
  migrate,
  migrateCalls,
  newProgress,
  type Progress,
  type RedisAddress,
} from '@sluice/store';
import { differenceLines, progressLine, summaryOf } from './report.js';

export type MigrateFlags = {
  readonly from?: string;
  readonly to?: string;
  readonly prefix: string;
  readonly toPrefix?: string;
  readonly partitions?: string;
  readonly stream?: string;
  readonly toStream?: string;
  readonly finish?: boolean;
  readonly cancel?: boolean;
  readonly dryRun?: boolean;
  readonly verifyOnly?: boolean;
  readonly wait: string;
};

/** How often progress is printed. */
const TELL_MS = 2_000;
const PARTITIONS_MAX = 16_384;

/** Moves data; prints progress to stderr and what was done to stdout. */
export async function runMigrate(flags: MigrateFlags): Promise<number> {
  const { from, to, modeOf, waitMs } = read(flags);
  armFailpoint(process.env, migrateCalls);
  const onNotice = (text: string) => console.error(`sluice: ${text}`);
  if (flags.cancel) {
    const found = await cancelMove(from, onNotice);
    if (found !== 'done') {
      console.log(found === 'none' ? 'no move was under way' : 'the move was taken back');
      return exitStatus.ok;
    }
    const text =
      'the move is complete, so that nodes may have run on the new data: start nodes there';
    throw new StartError(text, exitStatus.config);
  }
  const progress = newProgress();
  const startedMs = monotonicMs();
  const timer = setInterval(() => {
    console.error(progressLine(progress, monotonicMs() - startedMs));
  }, TELL_MS);
  try {
    const done = await migrate({ from, to, mode: modeOf, waitMs, progress, onNotice });
    return told(done, progress, monotonicMs() - startedMs);
  } finally {
    clearInterval(timer);
  }
}

function told(done: Migrated, progress: Progress, ms: number): number {
  for (const line of summaryOf(done, progress, ms)) console.log(line);
  const { damaged, differences } = progress;
  for (const line of differenceLines(progress)) console.error(line);
  return differences.length > 0 || (done.kind === 'compared' && damaged.length > 0)
    ? exitStatus.refused
    : exitStatus.ok;
}

function read(flags: MigrateFlags) {
  const fromUrls = flags.from ?? process.env.SLUICE_MIGRATE_FROM;
  const toUrls = flags.to ?? process.env.SLUICE_MIGRATE_TO ?? fromUrls;
  const prefix = prefixOf('--prefix', flags.prefix);
  const toPrefix = prefixOf('--to-prefix', flags.toPrefix ?? prefix);
  const waitMs = parseDurationMs(flags.wait);
  if (waitMs === undefined) throw wrong(`--wait ${flags.wait}: give a duration, such as 60s`);
  const modeOf: MigrateMode = flags.verifyOnly
    ? 'verify'
    : flags.dryRun
      ? 'dry_run'
      : flags.finish
        ? 'finish'
        : 'copy';
  return {
    from: {
      address: addressOf('--from', fromUrls),
      prefix,
      stream: flags.stream ?? `${prefix}:session-end`,
    },
    to: {
      address: addressOf('--to', toUrls),
      prefix: toPrefix,
      partitions: partitionsOf(flags.partitions),
      stream: flags.toStream ?? `${toPrefix}:session-end`,
    },
    modeOf,
    waitMs,
  };
}

/** One URL, or those of some nodes of a Redis Cluster. */
function addressOf(flag: string, urls: string | undefined): RedisAddress {
  const [url, ...others] = urls?.split(',') ?? [];
  if (url !== undefined && [url, ...others].every(isRedisUrl)) {
    return others.length === 0 ? { url } : { url, nodes: [url, ...others] };
  }
  const what = url === undefined ? `${flag} is missing` : `${flag}: this is no URL of a Redis`;
  throw wrong(
    `${what}; give redis://[user:password@]host[:port][/0-15], rediss://... or unix:///path`,
  );
}

function prefixOf(flag: string, prefix: string): string {
  if (/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) return prefix;
  throw wrong(`${flag} ${prefix}: give 1 to 64 characters of A-Z a-z 0-9 . _ : -`);
}

function partitionsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= PARTITIONS_MAX) return count;
  throw wrong(`--partitions ${text}: give a number from 1 to ${PARTITIONS_MAX}`);
}

const wrong = (message: string) => new StartError(message, exitStatus.usage);
