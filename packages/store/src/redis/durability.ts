import type { Durability } from '@sluice/protocol';
import { betweenFailpoints, exitStatus, StartError } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { PlainCall } from '../script/failpoints.js';
import { infoField, isAtLeast, serverTitle } from '../server/server-info.js';
import type { RedisAddress } from './address.js';
import { openFailFast } from './clients.js';

/** The wait of an acknowledgement for a level above `memory`. */
export type DurabilityWait = {
  readonly level: Durability;
  /**
   * Resolves when all earlier writes of this session have reached the level, or after 1 s; returns the level that was
   * reached. Left out: the writes of all sessions. Never rejects.
   */
  reached(of?: { readonly principal: string; readonly sessionId: string }): Promise<Durability>;
  close(): void;
};

const waitCall: PlainCall = 'durability-wait';

/** Longest wait of an acknowledgement for a copy; then it names the level that was reached. */
const WAIT_MS = 1_000;
/** First release of Redis with WAITAOF. Every Valkey has it, and reports 7.2.4 or newer. */
const WAITAOF_SINCE = [7, 2] as const;

const nothing: DurabilityWait = {
  level: 'memory',
  reached: async () => 'memory',
  close: () => {},
};

export type DurabilityOptions = {
  readonly address: RedisAddress;
  readonly name: string;
  readonly level: Durability;
  /** A key of this server, which is written before each wait. */
  key(): string;
  onError(error: unknown): void;
  /** Called with its connection, which must be checked like the others. */
  onOpen(client: Redis): void;
};

/**
 * Opens a connection of its own, since a wait holds back everything that is sent after it. Throws StartError:
 * 78 when this Redis cannot reach the level, 75 when it is not reachable.
 */
export async function openDurability(options: DurabilityOptions): Promise<DurabilityWait> {
  const { address, level, key, onError } = options;
  if (level === 'memory') return nothing;
  const client = openFailFast(address, options.name, 2 * WAIT_MS);
  client.on('error', onError);
  try {
    await whenReady(client);
    options.onOpen(client);
    const wait = makeWait(client, await copyCommandFor(level, client), { level, key });
    // After a reconnect another Redis may answer at the same address, one that can do less.
    client.on('ready', () =>
      copyCommandFor(level, client).then(wait.use, (error) => {
        wait.use(undefined);
        onError(error);
      }),
    );
    return wait;
  } catch (error) {
    client.disconnect();
    if (error instanceof StartError) throw error;
    throw new StartError('Redis is not reachable', exitStatus.tempFail);
  }
}

/** Rejects when the first try to connect fails. */
function whenReady(client: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('ready', resolve);
    client.once('close', () => reject(new Error('Connection is closed.')));
  });
}

/** How a level is reached. `replied`: Redis answers a write only when it is on disk, so nothing is waited for. */
type Way = 'replied' | 'WAITAOF' | 'WAIT';

/** How this Redis reaches a level. Throws StartError (78) when it cannot. */
export async function copyCommandFor(level: 'aof' | 'replica', client: Redis): Promise<Way> {
  const info = await client.info();
  const field = (name: string) => infoField(info, name);
  const refusal = (why: string) =>
    new StartError(`redis.durability is ${level}, but ${why}`, exitStatus.config);
  if (level === 'replica') {
    if (/^slave\d+:.*state=online/m.test(info)) return 'WAIT';
    throw refusal('this Redis has no replica: connect one, or set redis.durability to memory');
  }
  if (field('aof_enabled') !== '1') {
    throw refusal('this Redis keeps no append-only file: set appendonly yes in its configuration');
  }
  if (isAtLeast(field('redis_version'), WAITAOF_SINCE)) return 'WAITAOF';
  // A managed Redis may forbid CONFIG: what cannot be known is not promised.
  const answer: unknown = await client.call('CONFIG', 'GET', 'appendfsync').catch(() => []);
  if (Array.isArray(answer) && answer[1] === 'always') return 'replied';
  throw refusal(
    `this is ${serverTitle(info)}: use Redis ${WAITAOF_SINCE.join('.')} or newer or Valkey, ` +
      'or set appendfsync always in its configuration',
  );
}

function makeWait(
  client: Redis,
  first: Way,
  { level, key }: Pick<DurabilityOptions, 'level' | 'key'>,
): DurabilityWait & { use(way: Way | undefined): void } {
  let way: Way | undefined = first;
  let waiting: ((level: Durability) => void)[] = [];
  let isWaiting = false;

  /** One wait for everything that was written before it was sent. */
  async function waitOnce(): Promise<Durability> {
    if (way === undefined) return 'memory';
    try {
      const [, copies] = await betweenFailpoints(waitCall, () =>
        Promise.all([
          // WAIT is about the last write of its own connection, so this one writes after all the others.
          client.set(key(), 1),
          way === 'WAIT' ? client.wait(1, WAIT_MS) : client.call('WAITAOF', 1, 0, WAIT_MS),
        ]),
      );
      const reached = Array.isArray(copies) ? copies[0] : copies;
      return Number(reached) >= 1 ? level : 'memory';
    } catch {
      return 'memory';
    }
  }

  async function pump(): Promise<void> {
    isWaiting = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const reached = await waitOnce();
      for (const resolve of batch) resolve(reached);
    }
    isWaiting = false;
  }

  return {
    level,
    use(next) {
      way = next;
    },
    reached() {
      if (way === 'replied') return Promise.resolve(level);
      return new Promise((resolve) => {
        waiting.push(resolve);
        if (!isWaiting) void pump();
      });
    },
    close: () => client.disconnect(),
  };
}
