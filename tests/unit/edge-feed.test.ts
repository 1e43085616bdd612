import { describe, expect, it } from '@jest/globals';
import { Feed } from '../../apps/gateway/dist/edge/delivery/feed.js';

const EPOCH = 'e1';
const accepted = (seq: number) => ({
  ...{ kind: 'accepted', seq, epoch: EPOCH, atMs: 1, messageId: `m${seq}`, position: 0 },
  isPaused: false,
});

/** A log that has nothing but what the channel brings, and a reader that notes what it gets. */
function emptyLog() {
  const page = { epoch: EPOCH, head: 0, events: [], epochBefore: '', epochFrom: 0, bytes: 0 };
  const log = async () => page;
  const deps = {
    ...{ sessions: { log }, reads: { log }, damage: () => undefined },
    repairs: { run: (read: () => unknown) => read() },
  };
  const feed = new Feed(
    { principal: 'p', sessionId: 's' },
    { sessionId: 's', agentId: 'a' },
    deps as never,
  );
  const got: number[] = [];
  const reader = {
    ...{ cursor: 0, epoch: EPOCH, closed: false },
    take({ event }: { event: { seq: number } }) {
      reader.cursor = event.seq;
      got.push(event.seq);
    },
    skip: (seq: number) => void got.push(-seq),
    moveTo: () => undefined,
    resync: async () => undefined,
    gone: () => undefined,
    broken: () => undefined,
    writable: async () => undefined,
  };
  return { feed, reader, got };
}

describe('a feed', () => {
  it('E3 a doubt in the tick in which a reader went live leaves it not deaf', async () => {
    const { feed, reader, got } = emptyLog();
    const caughtUp = feed.catchUp(reader, { epoch: EPOCH, head: 0, resync: false });
    feed.doubt();
    await caughtUp;
    await new Promise((resolve) => setTimeout(resolve, 20));
    feed.offer(accepted(1) as never);
    feed.offer(accepted(2) as never);
    expect(got).toEqual([1, 2]);
  });

  it('E3 a reader goes back to the log with each doubt, however many come', async () => {
    const { feed, reader, got } = emptyLog();
    await feed.catchUp(reader, { epoch: EPOCH, head: 0, resync: false });
    for (let doubts = 0; doubts < 5; doubts += 1) {
      feed.doubt();
      await Promise.resolve();
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    feed.offer(accepted(1) as never);
    expect(got).toEqual([1]);
  });
});
