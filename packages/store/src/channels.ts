import { betweenFailpoints } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { PlainCall } from './failpoints.js';

const subscribeCall: PlainCall = 'channel-subscribe';

export type Channels = {
  /** Resolves when Redis has confirmed the subscription. */
  subscribe(channels: readonly string[], onMessage: (message: string) => void): Promise<void>;
  unsubscribe(channel: string): void;
  /** Called after each reconnect: what was published meanwhile is lost and must be read. */
  onReconnect(fn: () => void): void;
  readonly connected: boolean;
  close(): void;
};

/** Channels named by one SUBSCRIBE after a reconnect. */
const SUBSCRIBE_BATCH = 1_000;

/** Publish/subscribe of one node over one connection. */
export function makeChannels(subscriber: Redis): Channels {
  const listeners = new Map<string, (message: string) => void>();
  const reconnectListeners: (() => void)[] = [];
  let readyBefore = false;
  subscriber.on('message', (channel: string, message: string) => listeners.get(channel)?.(message));
  subscriber.on('ready', () => {
    if (readyBefore) resubscribe().catch(() => {}); // gone again: the next `ready` does it
    readyBefore = true;
  });
  // Listeners read what they missed: that must not be asked before the subscription stands.
  async function resubscribe(): Promise<void> {
    const channels = [...listeners.keys()];
    for (let i = 0; i < channels.length; i += SUBSCRIBE_BATCH) {
      await subscriber.subscribe(...channels.slice(i, i + SUBSCRIBE_BATCH));
    }
    for (const listener of reconnectListeners) listener();
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
    close: () => subscriber.disconnect(),
  };
}
