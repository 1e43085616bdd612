import { betweenFailpoints, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { PlainCall } from '../script/failpoints.js';

const subscribeCall: PlainCall = 'channel-subscribe';

/** Called with the bytes of one publication. */
export type OnMessage = (payload: Buffer) => void;

export type Channels = {
  /** Resolves when Redis has confirmed the subscription. */
  subscribe(channels: readonly string[], onMessage: OnMessage): Promise<void>;
  unsubscribe(channel: string): void;
  /** `fn` is called after each reconnect: what was published meanwhile is lost and must be read. */
  onReconnect(fn: () => void): void;
  readonly connected: boolean;
  /** Why an open connection hears nothing (its resubscription was refused); undefined: it hears everything. */
  readonly subscribeError: unknown;
  close(): void;
};

/** Time until a refused resubscription is tried again. */
const AGAIN_MS = 500;

/** Channels that one SUBSCRIBE or UNSUBSCRIBE names at most. */
const CHANNELS_MAX = 1_000;

/**
 * Publish/subscribe of one node over one connection. The subscriptions of one tick go out in one command, and its
 * unsubscriptions in another: thousands of clients may come back at once.
 */
export function makeChannels(subscriber: Redis): Channels {
  const listeners = new Map<string, OnMessage>();
  const reconnectListeners: (() => void)[] = [];
  let readyBefore = false;
  let round = 0;
  let subscribeError: unknown;
  let batch: { readonly channels: Set<string>; readonly sent: Promise<void> } | undefined;
  function heard(channel: Buffer, payload: Buffer): void {
    const onMessage = listeners.get(channel.toString());
    onMessage?.(payload);
  }
  subscriber.on('messageBuffer', heard);
  subscriber.on('ready', () => {
    if (readyBefore) void resubscribe();
    readyBefore = true;
  });
  subscriber.on('close', () => {
    round += 1;
    subscribeError = undefined; // a closed connection is another fault
  });
  // If it is refused (rights were changed), it is tried until all are subscribed or the connection is a new one.
  async function resubscribe(): Promise<void> {
    const mine = round;
    while (mine === round) {
      try {
        if (await subscribeAll(mine)) return;
      } catch (error) {
        if (mine !== round) return;
        subscribeError = error;
        await sleep(AGAIN_MS);
      }
    }
  }
  // Listeners then read what they missed; they must not read before the subscription is confirmed.
  async function subscribeAll(mine: number): Promise<boolean> {
    for (const channels of parts([...listeners.keys()])) await subscriber.subscribe(...channels);
    if (mine !== round) return false;
    subscribeError = undefined;
    for (const listener of reconnectListeners) listener();
    return true;
  }
  /** The channels of this tick. Whether one is subscribed or unsubscribed is decided at its end. */
  function thisTick(): NonNullable<typeof batch> {
    if (batch) return batch;
    const channels = new Set<string>();
    const sent = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      batch = undefined;
      return send([...channels]);
    });
    batch = { channels, sent };
    return batch;
  }
  async function send(channels: readonly string[]): Promise<void> {
    for (const left of parts(channels.filter((channel) => !listeners.has(channel)))) {
      subscriber.unsubscribe(...left).catch(() => {}); // Redis is away: nothing is subscribed
    }
    const wanted = parts(channels.filter((channel) => listeners.has(channel)));
    await Promise.all(
      wanted.map((some) => betweenFailpoints(subscribeCall, () => subscriber.subscribe(...some))),
    );
  }
  return {
    subscribe(channels, onMessage) {
      const { channels: touched, sent } = thisTick();
      for (const channel of channels) {
        listeners.set(channel, onMessage);
        touched.add(channel);
      }
      return sent;
    },
    unsubscribe(channel) {
      listeners.delete(channel);
      const { channels, sent } = thisTick();
      channels.add(channel);
      sent.catch(() => {}); // those who subscribe in this tick get the error
    },
    onReconnect: (fn) => reconnectListeners.push(fn),
    get connected() {
      return subscriber.status === 'ready';
    },
    get subscribeError() {
      return subscribeError;
    },
    close() {
      round += 1;
      subscriber.disconnect();
    },
  };
}

/** The channels, in parts that one command may name. */
function parts(channels: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let at = 0; at < channels.length; at += CHANNELS_MAX) {
    all.push(channels.slice(at, at + CHANNELS_MAX));
  }
  return all;
}
