import { betweenFailpoints, monotonicMs, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { slotOf } from '../keys/keys.js';
import type { PlainCall } from '../script/failpoints.js';

const subscribeCall: PlainCall = 'channel-subscribe';

/** Called with the bytes of one publication. */
export type OnMessage = (payload: Buffer) => void;

export type Channels = {
  /** Resolves when Redis has confirmed the subscription. */
  subscribe(channels: readonly string[], onMessage: OnMessage): Promise<void>;
  unsubscribe(channel: string): void;
  /**
   * `fn` is called when channels are subscribed again after the connection was lost: what was published on them
   * meanwhile is lost and must be read.
   */
  onMissed(fn: (channels: readonly string[]) => void): void;
  /** Whether `subscribe` would send its command now. */
  isConnected(channel: string): boolean;
  close(): void;
};

/** Of one connection. */
export type LinkChannels = Channels & {
  /** Why an open connection hears nothing (its resubscription was refused); undefined: it hears everything. */
  readonly subscribeError: unknown;
  /** `fn` is called when a cluster takes subscriptions away, because their slot has another master. */
  onDropped(fn: () => void): void;
  /** The slot of the channel has another master, which ends the subscription here by itself. */
  forget(channel: string): void;
  /** Subscribes anew what was taken away and is still wanted here; its listeners then read what they missed. */
  recheck(): void;
};

/** Time until a refused resubscription is tried again. */
const AGAIN_MS = 500;

/** So long after the cluster took subscriptions away each new one is looked at. */
const SHAKY_MS = 5_000;

/** Channels that one SUBSCRIBE or UNSUBSCRIBE names at most. */
const CHANNELS_MAX = 1_000;

/**
 * Publish/subscribe of one node over one connection. The subscriptions of one tick go out in one command, and its
 * unsubscriptions in another: thousands of clients may come back at once. `isSharded`: channels belong to the slots
 * of a cluster, and one command names channels of one slot.
 */
export function makeChannels(
  subscriber: Redis,
  { isSharded }: { readonly isSharded: boolean },
): LinkChannels {
  const listeners = new Map<string, OnMessage>();
  const missedListeners: ((channels: readonly string[]) => void)[] = [];
  let readyBefore = false;
  let round = 0;
  let subscribeError: unknown;
  /** When the cluster took subscriptions away: ioredis does not say which ones. */
  let droppedMs = Number.NEGATIVE_INFINITY;
  let isRechecking = false;
  let batch: { readonly channels: Set<string>; readonly sent: Promise<void> } | undefined;
  function heard(channel: Buffer, payload: Buffer): void {
    const onMessage = listeners.get(channel.toString());
    onMessage?.(payload);
  }
  subscriber.on(isSharded ? 'smessageBuffer' : 'messageBuffer', heard);
  const split = isSharded ? partsBySlot : parts;
  async function add(some: string[]): Promise<void> {
    if (!isSharded) return void (await subscriber.subscribe(...some));
    await subscriber.ssubscribe(...some);
    // When the server ends subscriptions by itself, ioredis may take that for the answer to another command.
    if (monotonicMs() - droppedMs > SHAKY_MS) return;
    const here = heardNow();
    if (some.some((channel) => listeners.has(channel) && !here.has(channel)))
      throw new Error('the subscription was taken away');
  }
  const remove = (some: string[]) =>
    isSharded ? subscriber.sunsubscribe(...some) : subscriber.unsubscribe(...some);
  subscriber.on('ready', () => {
    if (readyBefore) void resubscribe(() => [...listeners.keys()]);
    readyBefore = true;
  });
  subscriber.on('close', () => {
    round += 1;
    subscribeError = undefined; // a closed connection is another fault
  });
  // If it is refused (rights were changed), it is tried until all are subscribed or the connection is a new one.
  async function resubscribe(which: () => readonly string[]): Promise<void> {
    const mine = round;
    while (mine === round) {
      try {
        if (await subscribeAll(mine, which())) return;
      } catch (error) {
        if (mine !== round) return;
        subscribeError = error;
        await sleep(AGAIN_MS);
      }
    }
  }
  // Listeners then read what they missed; they must not read before the subscription is confirmed.
  async function subscribeAll(mine: number, all: readonly string[]): Promise<boolean> {
    for (const channels of split(all)) await add(channels);
    if (mine !== round) return false;
    subscribeError = undefined;
    for (const listener of missedListeners) listener(all);
    return true;
  }
  /** What the server has confirmed and not taken away. */
  function heardNow(): Set<string> {
    const set = subscriber.condition?.subscriber;
    return new Set(set ? set.channels('ssubscribe') : []);
  }
  function lost(): readonly string[] {
    const here = heardNow();
    return [...listeners.keys()].filter((channel) => !here.has(channel));
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
    for (const left of split(channels.filter((channel) => !listeners.has(channel)))) {
      remove(left).catch(() => {}); // Redis is away: nothing is subscribed
    }
    const wanted = split(channels.filter((channel) => listeners.has(channel)));
    await Promise.all(wanted.map((some) => betweenFailpoints(subscribeCall, () => add(some))));
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
    onMissed: (fn) => missedListeners.push(fn),
    isConnected: () => subscriber.status === 'ready',
    forget: (channel) => void listeners.delete(channel),
    onDropped(fn) {
      subscriber.on('moved', () => {
        droppedMs = monotonicMs();
        fn();
      });
    },
    recheck() {
      if (isRechecking || subscriber.status !== 'ready' || lost().length === 0) return;
      isRechecking = true;
      void resubscribe(lost).finally(() => {
        isRechecking = false;
      });
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

function partsBySlot(channels: readonly string[]): string[][] {
  const bySlot = new Map<number, string[]>();
  for (const channel of channels) {
    const slot = slotOf(channel);
    const some = bySlot.get(slot) ?? [];
    some.push(channel);
    bySlot.set(slot, some);
  }
  return [...bySlot.values()].flatMap(parts);
}
