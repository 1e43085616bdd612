import { within } from '@sluice/runtime';
import { Redis, type RedisOptions } from 'ioredis';

type Look = {
  /** How long the whole may take. */
  readonly limitMs: number;
  /** Makes the reason of a refused connection plainer. */
  explain?(client: Redis, reason: Error): Promise<Error>;
};

/**
 * Asks a server something over a connection of its own, which is closed then. Rejects with why the connection was
 * refused, with what `ask` threw, or when there is no answer in time. Connects once and repeats nothing.
 */
export async function lookOnce<T>(
  options: RedisOptions,
  { limitMs, explain }: Look,
  ask: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis({
    ...options,
    sentinelRetryStrategy: () => null,
    lazyConnect: true,
    connectTimeout: limitMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The reason of a refused connection comes as an event; `connect` only says that it is closed.
  let reason: Error | undefined;
  client.on('error', (error) => {
    reason = error;
  });
  const answer = async () => ({ value: await client.connect().then(() => ask(client)) });
  try {
    const answered = await within(answer(), limitMs);
    if (!answered) throw new Error(`no answer within ${limitMs / 1_000} s`);
    return answered.value;
  } catch (error) {
    if (reason === undefined) throw error;
    throw explain ? await explain(client, reason) : reason;
  } finally {
    client.disconnect();
  }
}

/** Clock of the server minus the clock of this machine, in ms; half a round trip is the error. */
export async function clockSkewOf(client: Redis): Promise<number> {
  const before = Date.now();
  const [seconds, microseconds] = await client.time();
  const middle = (before + Date.now()) / 2;
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000 - middle;
}
