import { betweenFailpoints, monotonicMs, type RedisMetrics, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { neverBeside } from '../keys/keys.js';
import { serverIdOf } from '../primary/server-id.js';
import { MovedKey, nameDamage } from '../script/damaged-key.js';
import type { PlainCall } from '../script/failpoints.js';
import type { LimitArgs } from '../script/limits.js';
import { decodeReply, type Script, shardedScript } from '../script/script.js';
import * as scripts from '../script/scripts.js';
import { infoField } from '../server/server-info.js';
import type { RedisAddress } from './address.js';
import { openFailFast } from './clients.js';
import { isReply, Redirected, refusalOf, StoreRefused, StoreUnavailable } from './unavailable.js';

/** Longest wait for one reply: a stopped Redis must turn into an error, not into silence (C3). */
const COMMAND_TIMEOUT_MS = 2_000;
/** Tries of a call whose reply is lost: scripts may run twice (ARCHITECTURE.md, law 1). */
const TRIES = 3;
/** How long a repeat waits for a new connection. */
const READY_WAIT_MS = 400;

const allScripts: readonly AnyScript[] = Object.values(scripts) as never;

/** The way to all keys: one Redis, or the masters of a cluster. */
export type Connection = {
  /** The database that `redis.url` names. */
  readonly db: number;
  /** Channels belong to slots, as keys do: SPUBLISH, SSUBSCRIBE. */
  readonly isSharded: boolean;
  /** The client that takes commands about a key; undefined: no server is known for it. */
  clientOf(key: string): Redis | undefined;
  /** Whether calls are sent; false: they would fail at once. On a cluster: whether they are for some keys. */
  isReady(): boolean;
  /** Runs a script; repeats it up to twice when its reply was lost. Throws StoreUnavailable or DamagedKey. */
  run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: Readonly<Record<Exclude<A, 'server' | keyof LimitArgs>, string | number>> &
      Readonly<Partial<Record<A & keyof LimitArgs, number>>>,
  ): Promise<R>;
  /**
   * Runs plain commands under the same error rules, without repeats. All are about keys of one slot; `key` is one of
   * them. `name`: of their failpoint and metrics.
   */
  ask<T>(key: string, command: (client: Redis) => Promise<T>, name?: PlainCall): Promise<T>;
  /** Runs plain commands without keys on each server. */
  askEach<T>(command: (client: Redis) => Promise<T>, name?: PlainCall): Promise<T[]>;
  close(): Promise<void>;
};

/** The connection to one Redis process. */
export type Link = Connection & {
  readonly client: Redis;
  /** Of the Redis process behind the connection (`serverIdOf`); undefined while there is none (E2). */
  serverId(): string | undefined;
  /** Takes what `INFO` says now: a replica that is promoted keeps its connections, and becomes another server. */
  learn(info: string): void;
};

export type ConnectionOptions = {
  /** What `CLIENT LIST` calls it (`connectionName`). */
  readonly name?: string;
  /** Counts calls by the name of their script or command; left out: nothing is counted. */
  readonly calls?: RedisMetrics | undefined;
  /** Each script gets those that it asks for, unless its call names others. */
  readonly limits: LimitArgs;
  /** The server is part of a cluster. */
  readonly isSharded?: boolean;
  onError(error: Error): void;
  /** The server behind the connection is known, or has become another one. */
  onReady(client: Redis, id: string): void;
};

type AnyScript = Script<string, string, unknown>;

type Given = {
  readonly keys: Readonly<Record<string, string>>;
  readonly args: Readonly<Record<string, string | number>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly server: string;
  readonly isSharded: boolean;
};

/** Sha, number of keys, keys and arguments, in the order of the script's header. */
function parametersOf(
  script: AnyScript,
  { keys, args, limits, server, isSharded }: Given,
): (string | number)[] {
  const named = script.keys.map((key) => keys[key] ?? '');
  // A script that runs while its slot moves could be stopped in the middle, at the first key that is not here.
  if (isSharded) named.push(neverBeside(named[0] ?? ''));
  const parameters: (string | number)[] = [script.sha, named.length, ...named];
  for (const arg of script.args) {
    parameters.push(arg === 'server' ? server : (args[arg] ?? limits[arg] ?? ''));
  }
  return parameters;
}

/** What the metrics call commands that have no name. */
export const UNNAMED_CALL = 'other';

/**
 * Connection for commands: never queues while Redis is away, never resends by itself. A node has a second one for
 * large replies, so that they do not hold up small ones.
 */
export function connect(address: RedisAddress, events: ConnectionOptions): Link {
  const { calls = noMetrics, isSharded = false } = events;
  const client = openFailFast(address, events.name, COMMAND_TIMEOUT_MS);
  const scriptsHere = isSharded ? allScripts.map((script) => shardedScript(script)) : allScripts;
  let serverId: string | undefined;
  /** What Redis said instead of accepting the connection. */
  let turnedAway: unknown;
  client.on('error', (error: Error) => {
    turnedAway = isReply(error) ? error : undefined;
    events.onError(error);
  });
  client.on('close', () => {
    serverId = undefined;
  });
  const learn = (info: string) => {
    const id = serverIdOf(info);
    if (id === undefined || id === serverId) return;
    const isReplica = infoField(info, 'role') === 'slave';
    if (isReplica && serverId !== undefined) return; // a demoted primary: it is being left
    serverId = id;
    if (!isReplica) events.onReady(client, id);
  };
  const unreachable = () => refusalOf(turnedAway) ?? new StoreUnavailable('Redis is not reachable');
  client.on('ready', () => {
    // Redis gets the scripts before the first call: else a call could be refused for lack of its script, and be
    // overtaken by later ones. (dispatch.ts keeps the order of one connection even when Redis forgets scripts.)
    for (const { source } of scriptsHere) client.call('SCRIPT', 'LOAD', source).catch(() => {});
    // All of it: a release before 7.0 refuses to be asked for two sections, and must get as far as server-check.ts.
    client.info().then(learn, (error) => {
      events.onError(error);
      client.disconnect(true);
    });
  });

  const fail = (call: string, error: unknown): never => {
    calls.failed(call);
    throw error;
  };

  async function becomesReady(): Promise<boolean> {
    for (let waited = 0; serverId === undefined && waited < READY_WAIT_MS; waited += 20)
      await sleep(20);
    return serverId !== undefined;
  }

  // A system call costs more than a small call to Redis: all calls of one round of the event loop go out in one
  // write.
  let corked: Redis['stream'] | undefined;
  function cork(): void {
    if (corked) return;
    corked = client.stream;
    corked.cork();
    setImmediate(() => {
      corked?.uncork();
      corked = undefined;
    });
  }

  async function evaluate(script: AnyScript, parameters: (string | number)[]) {
    const command = script.readOnly ? 'EVALSHA_RO' : 'EVALSHA';
    const call = () =>
      script.isBinary ? client.callBuffer(command, parameters) : client.call(command, parameters);
    cork();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      await client.call('SCRIPT', 'LOAD', script.source);
      return await call();
    }
  }

  async function ask<T>(command: (client: Redis) => Promise<T>, name?: PlainCall): Promise<T> {
    const call = name ?? UNNAMED_CALL;
    if (serverId === undefined) {
      return fail(call, unreachable());
    }
    const sentMs = monotonicMs();
    try {
      const reply = await betweenFailpoints(call, () => {
        cork();
        return command(client);
      });
      calls.answeredMs(call, monotonicMs() - sentMs);
      return reply;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal instanceof Redirected) throw refusal;
      if (refusal || !isLostReply(error)) return fail(call, refusal ?? error);
      return fail(call, new StoreUnavailable('Redis does not answer', { cause: error }));
    }
  }

  return {
    client,
    db: client.options.db ?? 0,
    isSharded,
    clientOf: () => client,
    isReady: () => serverId !== undefined,
    serverId: () => serverId,
    learn: (info) => {
      if (client.status === 'ready') learn(info);
    },
    async run(given, keys, args) {
      const script = isSharded ? shardedScript(given) : given;
      for (let tried = 1; ; tried++) {
        if (serverId === undefined && (tried === 1 || !(await becomesReady()))) {
          return fail(script.name, unreachable());
        }
        const parameters = parametersOf(script, {
          keys,
          args,
          limits: events.limits,
          server: serverId ?? '',
          isSharded,
        });
        const sentMs = monotonicMs();
        let reply: unknown;
        try {
          reply = await betweenFailpoints(script.name, () => evaluate(script, parameters));
        } catch (error) {
          const refusal = refusalOf(error);
          if (refusal instanceof Redirected) throw refusal;
          if (refusal) return fail(script.name, refusal);
          if (!isLostReply(error)) {
            const named = await nameDamage(error, script, { client, keys });
            if (!(named instanceof MovedKey)) return fail(script.name, named);
            return fail(script.name, new StoreRefused(named.message, { cause: named }));
          }
          // Silence may last: a caller that must not give up (a commit) repeats the call itself.
          if (tried < TRIES && !isSilence(error)) continue;
          const cause = new StoreUnavailable('Redis does not answer', { cause: error });
          return fail(script.name, cause);
        }
        calls.answeredMs(script.name, monotonicMs() - sentMs);
        for (let n = countFenced(script, reply); n > 0; n--) calls.fenced(script.name);
        return decodeReply(script, reply);
      }
    },
    ask: (_key, command, name) => ask(command, name),
    askEach: async (command, name) => [await ask(command, name)],
    async close() {
      client.disconnect();
    },
  };
}

const noMetrics: RedisMetrics = { answeredMs() {}, failed() {}, fenced() {} };

/** How many leases the reply refuses (L3). */
function countFenced({ args }: Script<string, string, unknown>, reply: unknown): number {
  if (!Array.isArray(reply)) return 0;
  const isOfMany = args.includes('leases');
  const answers: unknown[] = isOfMany && Array.isArray(reply[1]) ? reply[1] : [reply];
  return answers.filter((one) => Array.isArray(one) && one[0] === 'fenced').length;
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Command timed out');
}

/** No answer: whether the script ran is unknown. */
function isLostReply(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'AbortError' || // the rest of a transaction whose first replies had come
    /Connection is closed|Command timed out|isn't writeable|ECONNRESET|EPIPE|ECONNREFUSED|ENOENT/.test(
      error.message,
    )
  );
}
