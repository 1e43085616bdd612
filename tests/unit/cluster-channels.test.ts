import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { makeClusterChannels } from '../../packages/store/dist/redis/cluster/cluster-channels.js';

const CHANNEL = 'sluice:{p1}:s:a';

/** A master whose connection for subscriptions comes up when the test says so. */
function makeMaster() {
  let isConnected = false;
  let confirm = () => {};
  return {
    connect: () => {
      isConnected = true;
      confirm();
    },
    channels: {
      subscribe: () => {
        if (isConnected) return Promise.resolve();
        return new Promise<void>((resolve) => {
          confirm = resolve;
        });
      },
      unsubscribe: () => {},
      forget: () => {},
      recheck: () => {},
      onMissed: () => {},
      onDropped: () => {},
      isConnected: () => isConnected,
    },
  };
}

function world() {
  const [first, second] = [makeMaster(), makeMaster()];
  let current = first;
  let changed = () => {};
  const missed: string[] = [];
  const channels = makeClusterChannels({
    masters: { of: () => current, all: () => [first, second], onOpen: () => {} } as never,
    topology: {
      refresh: () => {},
      onRead: () => {},
      onChange: (fn: () => void) => {
        changed = fn;
      },
    } as never,
  });
  channels.onMissed((some) => missed.push(...some));
  const moveSlot = () => {
    current = second;
    changed();
  };
  return { first, second, channels, missed, moveSlot };
}

describe('channels of a Redis Cluster', () => {
  it('E3 are read again when a new master has confirmed the subscription, not before', async () => {
    const { first, second, channels, missed, moveSlot } = world();
    first.connect();
    await channels.subscribe([CHANNEL], () => {});
    moveSlot(); // the connection to the promoted master is just being made
    await new Promise((resolve) => setImmediate(resolve));
    const beforeIt = missed.length;
    second.connect();
    await eventually(() => missed.length > beforeIt);
    expect(missed.slice(beforeIt)).toEqual([CHANNEL]);
  });

  it('E3 are read again when a master was away at the first subscription', async () => {
    const { first, channels, missed } = world();
    await channels.subscribe([CHANNEL], () => {});
    expect(missed).toEqual([]);
    first.connect();
    await eventually(() => missed.length > 0);
    expect(missed).toEqual([CHANNEL]);
  });
});
