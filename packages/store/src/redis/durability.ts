import type { Durability } from '@sluice/protocol';
import { betweenFailpoints, exitStatus, monotonicMs, StartError } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { serverIdOf } from '../primary/server-id.js';
import type { PlainCall } from '../script/failpoints.js';
import { infoField, isAtLeast, serverTitle } from '../server/server-info.js';
import type { RedisAddress } from './address.js';
import { openFailFast } from './clients.js';

/** The wait of an acknowledgement for a level above `memory`. */
export type DurabilityWait = {
  readonly level: Durability;
  /**
   * Resolves when all earlier writes of this session have reached the level, or after `WAIT_MS` for each of its waits;
   * returns the level that was reached. Left out: the writes of all sessions. Never rejects. To be called in the tick
   * in which the write was answered: later another server may be the primary, and lack the write.
   */
  reached(of?: { readonly principal: string; readonly sessionId: string }): Promise<Durability>;
  close(): void;
};

const waitCall: PlainCall = 'durability-wait';

/**
 * Longest wait of an acknowledgement; then it names the level that was reached. With `appendfsync everysec` Redis
 * writes the disk once a second: WAITAOF took 0.7 to 1.03 s there (Redis 8.0; 1 ms on Valkey 8.1).
 */
const WAIT_MS = { copies: 1_000, disk: 2_000 } as const;
/** How late an answer behind both may be on a healthy connection. */
export const LONGEST_WAIT_MS = WAIT_MS.copies + WAIT_MS.disk;
/** Time that a Redis has to answer beyond that. */
const MARGIN_MS = 1_000;
/** How often a server that cannot reach the level is asked again. */
const JUDGE_AGAIN_MS = 1_000;
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
  /** The server that executes scripts now (`serverIdOf`); undefined: none does. */
  serverId(): string | undefined;
  /**
   * Called with its connection, which must be checked like the others; `learn` takes each INFO of it, with the
   * sections `server` and `replication`.
   */
  onOpen(client: Redis, learn: (info: string) => void): void;
};

/**
 * Opens a connection of its own, since a wait holds back everything that is sent after it. `mustReach`: throws
 * StartError, 78 when this Redis cannot reach the level, 75 when it is not reachable. Else acknowledgements name
 * `memory` until it can.
 */
export async function openDurability(
  options: DurabilityOptions,
  mustReach: boolean,
): Promise<DurabilityWait> {
  const { address, level, onError, onOpen } = options;
  if (level === 'memory') return nothing;
  const client = openFailFast(address, options.name, LONGEST_WAIT_MS + MARGIN_MS);
  client.on('error', onError);
  const wait = makeWait(client, options);
  try {
    if (mustReach) {
      await whenReady(client);
      wait.use(checked(await wayOf(level, client)));
    }
    client.on('close', () => wait.use(undefined));
    client.on('ready', () => void wait.judge());
    onOpen(client, wait.learn);
    return wait;
  } catch (error) {
    client.disconnect();
    if (error instanceof StartError && !address.sentinel) throw error;
    // After a failover it takes a moment until there is a replica again.
    if (error instanceof StartError) throw new StartError(error.message, exitStatus.tempFail);
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

/**
 * How this server reaches a level. `disk`: what makes a write durable on its own disk; `replied`: it answers a write
 * only then. `copies`: its replicas that are connected. Any of them may be promoted, so all must have the write.
 */
type Way = {
  readonly id: string | undefined;
  readonly disk: 'none' | 'replied' | 'WAITAOF';
  readonly copies: number;
};

const copiesOf = (info: string) => info.match(/^slave\d+:.*state=online/gm)?.length ?? 0;

/** Why this Redis cannot reach a level, for `sluice doctor`; null: it can. */
export async function durabilityFault(level: Durability, client: Redis): Promise<string | null> {
  if (level === 'memory') return null;
  try {
    checked(await wayOf(level, client));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const refusal = (level: Durability, why: string) =>
  new StartError(`redis.durability is ${level}, but ${why}`, exitStatus.config);

/** Replicas come and go; a start asks for one. */
function checked(way: Way): Way {
  if (way.disk !== 'none' || way.copies > 0) return way;
  const todo = 'connect one, or set redis.durability to memory';
  throw refusal('replica', `this Redis has no replica: ${todo}`);
}

/** Throws StartError (78) when no replica would help this Redis to reach the level. */
async function wayOf(level: 'aof' | 'replica', client: Redis): Promise<Way> {
  const info = await client.info();
  const field = (name: string) => infoField(info, name);
  const way = { id: serverIdOf(info), copies: copiesOf(info) };
  if (level === 'replica') return { ...way, disk: 'none' };
  if (field('aof_enabled') !== '1') {
    throw refusal(
      level,
      'this Redis keeps no append-only file: set appendonly yes in its configuration',
    );
  }
  if (isAtLeast(field('redis_version'), WAITAOF_SINCE)) {
    const asked = await client.call('WAITAOF', 0, 0, 1).catch((error: unknown) => error);
    if (!(asked instanceof Error && asked.message.startsWith('NOPERM'))) {
      return { ...way, disk: 'WAITAOF' };
    }
    throw refusal(level, 'this user may not ask what is on disk: give it the right +waitaof');
  }
  // A managed Redis may forbid CONFIG: what cannot be known is not promised.
  const answer: unknown = await client.call('CONFIG', 'GET', 'appendfsync').catch(() => []);
  if (Array.isArray(answer) && answer[1] === 'always') return { ...way, disk: 'replied' };
  throw refusal(
    level,
    `this is ${serverTitle(info)}: use Redis ${WAITAOF_SINCE.join('.')} or newer or Valkey, ` +
      'or set appendfsync always in its configuration',
  );
}

type Waiting = {
  /** Where the write is. A wait at another server says nothing about it. */
  readonly id: string | undefined;
  resolve(level: Durability): void;
};

function makeWait(
  client: Redis,
  options: Pick<DurabilityOptions, 'level' | 'key' | 'serverId' | 'onError'>,
) {
  const { level, key, serverId, onError } = options;
  let way: Way | undefined;
  let waiting: Waiting[] = [];
  let isWaiting = false;
  let judgedMs = Number.NEGATIVE_INFINITY;

  /** One wait for everything that was written before it was sent; returns the server whose writes have the level. */
  async function waitOnce(): Promise<string | undefined> {
    const asked = way;
    if (!asked || (level === 'replica' && asked.copies === 0)) return undefined;
    if (asked.disk === 'replied' && asked.copies === 0) return asked.id;
    try {
      const [, copies, disks] = await betweenFailpoints(waitCall, () =>
        Promise.all([
          // Both waits are about the last write of their own connection, so this one writes after all the others.
          client.set(key(), 1),
          asked.copies > 0 ? client.wait(asked.copies, WAIT_MS.copies) : 0,
          asked.disk === 'WAITAOF' ? client.call('WAITAOF', 1, 0, WAIT_MS.disk) : undefined,
        ]),
      );
      const isOnDisk = asked.disk !== 'WAITAOF' || (Array.isArray(disks) && Number(disks[0]) >= 1);
      return copies >= asked.copies && isOnDisk && way?.id === asked.id ? asked.id : undefined;
    } catch {
      return undefined;
    }
  }

  async function pump(): Promise<void> {
    isWaiting = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const reached = await waitOnce();
      for (const { id, resolve } of batch) {
        resolve(reached !== undefined && id === reached ? level : 'memory');
      }
    }
    isWaiting = false;
  }

  /** Asks what the server that answers can do. What it lacks it may get later: rights, an append-only file. */
  async function judge(): Promise<void> {
    judgedMs = monotonicMs();
    try {
      way = level === 'memory' ? undefined : await wayOf(level, client);
    } catch (error) {
      way = undefined;
      onError(error);
    }
  }

  return {
    level,
    judge,
    use(next: Way | undefined) {
      way = next;
    },
    learn(info: string) {
      if (way) way = { ...way, id: serverIdOf(info), copies: copiesOf(info) };
      else if (monotonicMs() - judgedMs > JUDGE_AGAIN_MS) void judge();
    },
    reached(): Promise<Durability> {
      return new Promise((resolve) => {
        waiting.push({ id: serverId(), resolve });
        if (!isWaiting) void pump();
      });
    },
    close: () => client.disconnect(),
  };
}
