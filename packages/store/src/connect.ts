import { betweenFailpoints, sleep } from '@sluice/runtime';
import { Redis } from 'ioredis';
import { connectionOptions, type RedisAddress } from './address.js';
import type { PlainCall } from './failpoints.js';
import { decodeReply, type Script } from './script.js';
import * as scripts from './scripts.js';
import { StoreFull, StoreUnavailable } from './unavailable.js';

/** Longest wait for one reply: a stopped Redis must turn into an error, not into silence (C3). */
const COMMAND_TIMEOUT_MS = 2_000;
/** Calls whose reply was lost are sent again: scripts are made for it (ARCHITECTURE.md, law 1). */
const TRIES = 3;
const READY_WAIT_MS = 400;

const allScripts = Object.values(scripts);

export type Connection = {
  readonly client: Redis;
  readonly db: number;
  /** `run_id` of the Redis process behind the connection; undefined while there is none (E2). */
  serverId(): string | undefined;
  /** Runs a script; repeats it, bounded, when its reply was lost. Throws StoreUnavailable. */
  run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: Readonly<Record<Exclude<A, 'server'>, string | number>>,
  ): Promise<R>;
  /** Runs plain commands under the same error rules, without repeats. `name` is their failpoint. */
  ask<T>(command: (client: Redis) => Promise<T>, name?: PlainCall): Promise<T>;
  close(): Promise<void>;
};

export type ConnectionEvents = { onError(error: Error): void; onReady(): void };

/** Connection for commands: never queues while Redis is away, never resends by itself. */
export function connect(address: RedisAddress, events: ConnectionEvents): Connection {
  const options = connectionOptions(address);
  const client = new Redis({
    ...options,
    enableOfflineQueue: false,
    // 0: what was under way fails as the connection does. With 1 it waits for a second loss, which is
    // its own timeout, and no lost reply is ever asked for again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
  });
  let serverId: string | undefined;
  client.on('error', events.onError);
  client.on('close', () => {
    serverId = undefined;
  });
  client.on('ready', () => {
    // Known before the first call: none is refused for lack of its script, and then overtaken by those
    // sent meanwhile (of one connection dispatch.ts keeps the order, also when Redis forgets them).
    for (const { source } of allScripts) client.call('SCRIPT', 'LOAD', source).catch(() => {});
    client.info('server').then(
      (info) => {
        serverId = /^run_id:(\w+)/m.exec(info)?.[1];
        events.onReady();
      },
      () => client.disconnect(true),
    );
  });

  async function isReady(): Promise<boolean> {
    for (let waited = 0; serverId === undefined && waited < READY_WAIT_MS; waited += 20)
      await sleep(20);
    return serverId !== undefined;
  }

  async function evaluate(script: Script<string, string, unknown>, rest: (string | number)[]) {
    const command = script.readOnly ? 'EVALSHA_RO' : 'EVALSHA';
    const parameters = [script.keys.length, ...rest];
    try {
      return await client.call(command, script.sha, ...parameters);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      await client.call('SCRIPT', 'LOAD', script.source);
      return await client.call(command, script.sha, ...parameters);
    }
  }

  return {
    client,
    db: options.db ?? 0,
    serverId: () => serverId,
    async run(script, keys, args) {
      for (let tried = 1; ; tried++) {
        if (serverId === undefined && (tried === 1 || !(await isReady()))) {
          throw new StoreUnavailable('Redis is not reachable');
        }
        const named: Readonly<Record<string, string | number>> = {
          ...args,
          server: serverId ?? '',
        };
        const rest = [
          ...script.keys.map((k) => keys[k]),
          ...script.args.map((a) => named[a] ?? ''),
        ];
        try {
          const reply = await betweenFailpoints(script.name, () => evaluate(script, rest));
          return decodeReply(script, reply);
        } catch (error) {
          const refusal = refusalOf(error);
          if (refusal) throw refusal;
          if (!isLostReply(error)) throw error;
          // Silence may last: whoever must not give up (a commit) repeats the call with time to spare.
          if (tried === TRIES || isSilence(error))
            throw new StoreUnavailable('Redis does not answer', { cause: error });
        }
      }
    },
    async ask(command, name) {
      if (serverId === undefined) throw new StoreUnavailable('Redis is not reachable');
      try {
        if (name === undefined) return await command(client);
        return await betweenFailpoints(name, () => command(client));
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal) throw refusal;
        if (isLostReply(error)) {
          throw new StoreUnavailable('Redis does not answer', { cause: error });
        }
        throw error;
      }
    },
    async close() {
      client.disconnect();
    },
  };
}

/** For publish/subscribe and BullMQ: waits for Redis instead of failing, subscribes again by itself. */
export function connectPatiently(address: RedisAddress, onError: (error: Error) => void): Redis {
  const client = new Redis({
    autoResubscribe: false, // channels.ts does it, to know when it is done
    ...connectionOptions(address),
    maxRetriesPerRequest: null,
  });
  client.on('error', onError);
  return client;
}

/** Redis answered, but cannot take writes now; undefined: it is something else. */
function refusalOf(error: unknown): StoreUnavailable | undefined {
  // Of a transaction it is told by the commands that were queued: EXEC only says that there was one.
  const causes = [error, ...(Object(error).previousErrors ?? [])];
  const cause = causes.find(
    (it): it is Error =>
      it instanceof Error &&
      /^(OOM|LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS)/.test(it.message),
  );
  if (cause?.message.startsWith('OOM')) return new StoreFull({ cause });
  return cause && new StoreUnavailable(cause.message, { cause });
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
