import { Redis } from 'ioredis';
import { appendScript, commitScript, deltaScript } from './scripts.js';

type Call = (...args: string[]) => Promise<number>;

/** The calls of the floor; each is a script that Redis caches. */
export type FloorStore = {
  append: Call;
  commit: Call;
  delta: Call;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): void;
};

/** Calls `onPublished` with each event of a subscribed channel, as bytes of JSON. */
export function openFloorStore(
  url: string,
  onPublished: (channel: string, event: string) => void,
): FloorStore {
  const redis = new Redis(url);
  const subscriber = new Redis(url);
  subscriber.on('message', (channel, text) => onPublished(channel, text.slice(text.indexOf('{'))));
  const define = (name: string, numberOfKeys: number, lua: string): Call => {
    redis.defineCommand(name, { numberOfKeys, lua });
    const call: unknown = Reflect.get(redis, name);
    if (typeof call !== 'function') throw new Error(`ioredis did not define ${name}`);
    return (...args) => call.apply(redis, args);
  };
  return {
    append: define('append', 3, appendScript),
    commit: define('commit', 5, commitScript),
    delta: define('delta', 3, deltaScript),
    subscribe: (channel) => subscriber.subscribe(channel),
    unsubscribe: (channel) => void subscriber.unsubscribe(channel).catch(() => undefined),
  };
}
