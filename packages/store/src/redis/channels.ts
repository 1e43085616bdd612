import { betweenFailpoints, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { PlainCall } from '../script/failpoints.js';

const subscribeCall: PlainCall = 'channel-subscribe';

/** Gets the bytes of what was published. */
export type OnMessage = (payload: Buffer) => void;

export type Channels = {
  /** Resolves when Redis has confirmed the subscription. */
  subscribe(channels: readonly string[], onMessage: OnMessage): Promise<void>;
  unsubscribe(channel: string): void;
  /** Called after each reconnect: what was published meanwhile is lost and must be read. */
  onReconnect(fn: () => void): void;
  readonly connected: boolean;
  /** Why nothing is heard though the connection stands; undefined: everything is. */
  readonly deafBy: unknown;
  close(): void;
};

/** A refused resubscription is tried again so soon. */
const AGAIN_MS = 500;

/** Channels that one SUBSCRIBE or UNSUBSCRIBE names at most. */
const CHANNELS_MAX = 1_000;

/**
 * Publish/subscribe of one node over one connection. All that is subscribed and unsubscribed in one tick goes
 * out in one command each: thousands of clients may come back at once.
 */
export function makeChannels(subscriber: Redis): Channels {
  const listeners = new Map<string, OnMessage>();
  const reconnectListeners: (() => void)[] = [];
  let readyBefore = false;
  let round = 0;
  let deafBy: unknown;
  let batch: { readonly channels: Set<string>; readonly sent: Promise<void> } | undefined;
  subscriber.on('messageBuffer', (channel: Buffer, payload: Buffer) =>
    listeners.get(channel.toString())?.(payload),
  );
  subscriber.on('ready', () => {
    if (readyBefore) void resubscribe();
    readyBefore = true;
  });
  subscriber.on('close', () => {
    round += 1;
    deafBy = undefined; // nobody hears anything then: that is another fault
  });
  // Refused (rights were changed), it is tried until the connection is another or all are subscribed.
  async function resubscribe(): Promise<void> {
    const mine = round;
    while (mine === round) {
      try {
        if (await subscribeAll(mine)) return;
      } catch (error) {
        if (mine !== round) return;
        deafBy = error;
        await sleep(AGAIN_MS);
      }
    }
  }
  // Listeners read what they missed: that must not be asked before the subscription stands.
  async function subscribeAll(mine: number): Promise<boolean> {
    for (const channels of parts([...listeners.keys()])) await subscriber.subscribe(...channels);
    if (mine !== round) return false;
    deafBy = undefined;
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
      subscriber.unsubscribe(...left).catch(() => {}); // away: there is nothing to unsubscribe from
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
      sent.catch(() => {}); // whoever subscribes in this tick is told
    },
    onReconnect: (fn) => reconnectListeners.push(fn),
    get connected() {
      return subscriber.status === 'ready';
    },
    get deafBy() {
      return deafBy;
    },
    close() {
      round += 1;
      subscriber.disconnect();
    },
  };
}

/** As many as one command names. */
function parts(channels: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let at = 0; at < channels.length; at += CHANNELS_MAX) {
    all.push(channels.slice(at, at + CHANNELS_MAX));
  }
  return all;
}
