import { hostname } from 'node:os';
import { type Config, loadConfig, redisAddress } from '@sluice/gateway';
import { exitStatus, parseDurationMs, SECRET_NOT_READ, StartError } from '@sluice/runtime';
import {
  type EndReader,
  openEndReader,
  openGroupReader,
  redisRemedy,
  withoutSecrets,
} from '@sluice/store';
import { Follower } from './follower.js';
import { jsonLines, tableLines } from './lines.js';

export type SessionEndsOptions = {
  readonly config?: string;
  readonly follow?: boolean;
  readonly group?: string;
  readonly consumer?: string;
  readonly claimAfter?: string;
  readonly since?: string;
  readonly json?: boolean;
  readonly flags: Readonly<Record<string, string>>;
};

const CLAIM_AFTER_MS = 60_000;

/** Prints the stream of session ends, for programs that cannot read streams of Redis. */
export async function sessionEnds(options: SessionEndsOptions): Promise<number> {
  const { config: file, flags, json, follow } = options;
  const where = placeOf(options);
  const config = loadConfig({ file, flags, env: process.env, cwd: process.cwd() });
  const reader = await open(config, where);
  const follower = new Follower(reader, {
    isEndless: follow === true,
    lines: json ? jsonLines : tableLines(),
    notice: (text) => console.error(text),
  });
  const stop = () => follower.stop();
  process.once('SIGTERM', stop).once('SIGINT', stop);
  try {
    await follower.run();
    return exitStatus.ok;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    await reader.close();
  }
}

type Place =
  | { readonly kind: 'behind'; readonly id: string }
  | {
      readonly kind: 'group';
      readonly group: string;
      readonly consumer: string;
      readonly isPassing: boolean;
      readonly claimAfterMs: number;
    };

function placeOf({ group, consumer, claimAfter, since }: SessionEndsOptions): Place {
  if (group === undefined) {
    if (consumer ?? claimAfter) throw wrong('--consumer and --claim-after need --group');
    return { kind: 'behind', id: idOf(since) };
  }
  const claimAfterMs = claimAfter === undefined ? CLAIM_AFTER_MS : parseDurationMs(claimAfter);
  if (!claimAfterMs) throw wrong(`--claim-after ${claimAfter}: give a duration, such as 60s or 5m`);
  return {
    kind: 'group',
    group,
    consumer: consumer ?? `${hostname()}-${process.pid}`,
    isPassing: consumer === undefined,
    claimAfterMs: Math.round(claimAfterMs),
  };
}

/** The id of an entry, or a duration before now; ids begin with the time in milliseconds. */
function idOf(since: string | undefined): string {
  if (since === undefined) return '0-0';
  if (/^\d{1,16}-\d{1,16}$/.test(since)) return since;
  const ms = /[a-z]$/.test(since) ? parseDurationMs(since) : undefined;
  if (ms === undefined) {
    throw wrong(`--since ${since}: give the id of an entry (1795384129742-0), or a duration (10m)`);
  }
  return `${Math.max(0, Math.floor(Date.now() - ms))}-0`;
}

async function open({ redis, sessionEnd }: Config, place: Place): Promise<EndReader> {
  const { stream } = sessionEnd;
  const address = redisAddress(redis, ({ key, fault }) =>
    console.error(`sluice: ${key}: ${fault}: ${SECRET_NOT_READ}`),
  );
  try {
    if (place.kind === 'behind') return await openEndReader({ address, stream }, place.id);
    return await openGroupReader({ address, stream, ...place });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { todo, status } = redisRemedy(why);
    const text = `Redis at ${withoutSecrets(address.url)}: ${why}; ${todo}; sluice doctor checks it`;
    throw new StartError(text, status);
  }
}

const wrong = (message: string) => new StartError(message, exitStatus.usage);
