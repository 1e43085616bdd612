import { monotonicMs, sleep } from '@sluice/runtime';
import { slotOf } from '../../keys/keys.js';
import type { Channels, OnMessage } from '../channels.js';
import type { Master, Masters } from './masters.js';
import type { Topology } from './topology.js';

/** How long a subscription follows slots that move: as long as one reply may take. */
const FOLLOW_MS = 2_000;
const AGAIN_MS = 50;

type Wanted = { readonly onMessage: OnMessage; at: Master | undefined };

/**
 * Publish/subscribe of one node on a cluster: each channel is subscribed at the master of its slot. When the slot
 * moves, it is subscribed at the new one, and then its listeners read what they missed.
 */
export function makeClusterChannels({
  masters,
  topology,
}: {
  readonly masters: Masters;
  readonly topology: Topology;
}): Channels {
  const wanted = new Map<string, Wanted>();
  const missedListeners: ((channels: readonly string[]) => void)[] = [];
  const tellMissed = (channels: readonly string[]) => {
    for (const listener of missedListeners) listener(channels);
  };
  let isClosed = false;

  /** Resolves when every channel is subscribed where its slot is; a master that is away gets its own later. */
  async function subscribeAll(channels: readonly string[]): Promise<void> {
    const untilMs = monotonicMs() + FOLLOW_MS;
    let left = channels;
    for (;;) {
      const failed = await subscribeOnce(left);
      if (failed.channels.length === 0 || isClosed) return;
      topology.refresh();
      if (monotonicMs() > untilMs) throw failed.error;
      await sleep(AGAIN_MS);
      left = failed.channels.filter((channel) => wanted.has(channel));
    }
  }

  async function subscribeOnce(channels: readonly string[]) {
    const failed: { channels: string[]; error: unknown } = { channels: [], error: undefined };
    await Promise.all(
      [...grouped(channels)].map(async ([master, some]) => {
        try {
          if (!master) throw new Error('no master of this slot is known');
          await subscribeAt(master, some);
        } catch (error) {
          failed.channels.push(...some);
          failed.error = error;
        }
      }),
    );
    return failed;
  }

  function grouped(channels: readonly string[]) {
    const byMaster = new Map<Master | undefined, string[]>();
    for (const channel of channels) {
      const master = masters.of(slotOf(channel));
      append(byMaster, master, channel);
    }
    return byMaster;
  }

  async function subscribeAt(master: Master, channels: readonly string[]): Promise<void> {
    const byListener = new Map<OnMessage, string[]>();
    for (const channel of channels) {
      const it = wanted.get(channel);
      if (!it) continue;
      if (it.at !== master) it.at?.channels.forget(channel);
      it.at = master;
      append(byListener, it.onMessage, channel);
    }
    const subscribed = [...byListener].map(([onMessage, some]) =>
      master.channels.subscribe(some, onMessage),
    );
    const [first = ''] = channels;
    const confirmed = Promise.all(subscribed);
    if (master.channels.isConnected(first)) return void (await confirmed);
    // Its connection is being made, and subscribes them when it is there. Calls may be answered before that: what was
    // published meanwhile is missed. One that is refused is found by `recheck`.
    confirmed.then(
      () => tellMissed(channels),
      () => {},
    );
  }

  /** Subscribes at the new master what a change has moved; those who listen then read. */
  function relocate(): void {
    const moved = [...wanted].flatMap(([channel, { at }]) =>
      at !== masters.of(slotOf(channel)) ? [channel] : [],
    );
    if (moved.length > 0) void relocateAll(moved);
  }

  async function relocateAll(channels: readonly string[]): Promise<void> {
    let left = channels;
    while (left.length > 0 && !isClosed) {
      const { channels: failed } = await subscribeOnce(left);
      const without = new Set(failed);
      tellMissed(left.filter((channel) => !without.has(channel)));
      left = failed.filter((channel) => wanted.has(channel));
      if (left.length === 0) return;
      topology.refresh();
      await sleep(AGAIN_MS);
    }
  }

  masters.onOpen((master) => {
    master.channels.onMissed(tellMissed);
    // A slot has moved, or was taken away for a moment: the next read of the slots shows which.
    master.channels.onDropped(topology.refresh);
  });
  topology.onChange(relocate);
  topology.onRead(() => {
    for (const master of masters.all()) master.channels.recheck();
  });

  return {
    async subscribe(channels, onMessage) {
      for (const channel of channels) {
        const at = wanted.get(channel)?.at;
        wanted.set(channel, { onMessage, at });
      }
      await subscribeAll(channels);
    },
    unsubscribe(channel) {
      wanted.get(channel)?.at?.channels.unsubscribe(channel);
      wanted.delete(channel);
    },
    onMissed: (fn) => missedListeners.push(fn),
    isConnected: (channel) => masters.of(slotOf(channel))?.channels.isConnected(channel) ?? false,
    close() {
      isClosed = true;
    },
  };
}

function append<K>(lists: Map<K, string[]>, key: K, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
