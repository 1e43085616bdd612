import { within } from '@sluice/runtime';
import {
  type Channels,
  type Damage,
  decodePublished,
  type Keys,
  type SessionRef,
  type Sessions,
  StoreUnavailable,
  sessionKeyId,
} from '@sluice/store';
import type { PaidReads } from '../limits/paid-reads.js';
import { Feed, type FeedDeps } from './feed.js';
import { RepairLine } from './repair-line.js';

/** The same as for any command. */
const SUBSCRIBE_LIMIT_MS = 2_000;

export type FanOut = ReturnType<typeof makeFanOut>;

type FanOutOptions = {
  readonly channels: Channels;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly reads: PaidReads;
  readonly damage: Damage;
};

/** The feeds of this node: one feed and one subscription per session, for as long as somebody uses it. */
export function makeFanOut({ channels, keys, sessions, reads, damage }: FanOutOptions) {
  const deps: FeedDeps = { sessions, reads, repairs: new RepairLine(), damage };
  type Entry = { feed: Feed; users: number; subscribed: Promise<void> };
  const entries = new Map<string, Entry>();
  const repairAll = () => {
    for (const { feed } of entries.values()) feed.doubt();
  };
  channels.onMissed((missed) => {
    const channelsMissed = new Set(missed);
    for (const [id, { feed }] of entries) {
      if (channelsMissed.has(keys.channel(id))) feed.doubt();
    }
  });
  const idOf = (ref: SessionRef) => sessionKeyId(ref.principal, ref.sessionId);

  function release(ref: SessionRef): void {
    const id = idOf(ref);
    const entry = entries.get(id);
    if (!entry || --entry.users > 0) return;
    entries.delete(id);
    entry.feed.stop();
    channels.unsubscribe(keys.channel(id));
  }

  return {
    /** The feed of a session, subscribed when this resolves; release it once per call. Throws StoreUnavailable. */
    async acquire(ref: SessionRef, agentId: string): Promise<Feed> {
      const id = idOf(ref);
      let entry = entries.get(id);
      if (!entry) {
        // That connection would wait for Redis instead of failing, and the caller with it (C3).
        if (!channels.isConnected(keys.channel(id)))
          throw new StoreUnavailable('cannot subscribe now');
        const feed = new Feed(ref, { sessionId: ref.sessionId, agentId }, deps);
        const onMessage = (payload: Buffer) => {
          const events = decodePublished(payload, (place) => feed.has(place));
          for (const event of events ?? [undefined]) feed.offer(event);
        };
        const subscribed = channels.subscribe([keys.channel(id)], onMessage);
        entry = { feed, users: 0, subscribed };
        entries.set(id, entry);
      }
      entry.users++;
      const { feed, subscribed } = entry;
      const confirmed = subscribed.then(() => true);
      if (await within(confirmed, SUBSCRIBE_LIMIT_MS).catch(() => false)) return feed;
      release(ref);
      throw new StoreUnavailable('cannot subscribe');
    },
    release,
    /** Sends every reader back to the log: any log may have changed without a publication. */
    repairAll,
    /** The sessions that are read on this node. */
    sessions: () => [...entries.values()].map(({ feed }) => feed.ref),
  };
}
