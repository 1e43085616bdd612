import { betweenFailpoints, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { PlainCall } from './failpoints.js';

const subscribeCall: PlainCall = 'channel-subscribe';

export type Channels = {
  /** Resolves when Redis has confirmed the subscription. */
  subscribe(channels: readonly string[], onMessage: (message: Buffer) => void): Promise<void>;
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

/** Channels named by one SUBSCRIBE after a reconnect. */
const SUBSCRIBE_BATCH = 1_000;

/** Publish/subscribe of one node over one connection. */
export function makeChannels(subscriber: Redis): Channels {
  const listeners = new Map<string, (message: Buffer) => void>();
  const reconnectListeners: (() => void)[] = [];
  let readyBefore = false;
  let round = 0;
  let deafBy: unknown;
  subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) =>
    listeners.get(channel.toString())?.(message),
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
    const channels = [...listeners.keys()];
    for (let i = 0; i < channels.length; i += SUBSCRIBE_BATCH) {
      await subscriber.subscribe(...channels.slice(i, i + SUBSCRIBE_BATCH));
    }
    if (mine !== round) return false;
    deafBy = undefined;
    for (const listener of reconnectListeners) listener();
    return true;
  }
  return {
    async subscribe(channels, onMessage) {
      for (const channel of channels) listeners.set(channel, onMessage);
      await betweenFailpoints(subscribeCall, () => subscriber.subscribe(...channels));
    },
    unsubscribe(channel) {
      listeners.delete(channel);
      subscriber.unsubscribe(channel).catch(() => {}); // away: there is nothing to unsubscribe from
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
