import { monotonicMs, type RedisMetrics, sleep } from '@sluice/runtime';
import { slotOf } from '../../keys/keys.js';
import { type Connection, type Link, UNNAMED_CALL } from '../connect.js';
import { Redirected, StoreUnavailable } from '../unavailable.js';
import type { Master, Masters } from './masters.js';
import type { Topology } from './topology.js';

/** How long a call follows slots that move: as long as one reply may take. */
const FOLLOW_MS = 2_000;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 100;

type Parts = {
  readonly masters: Masters;
  readonly topology: Topology;
  readonly calls: RedisMetrics | undefined;
  /** Which connection of a master takes the calls. */
  linkOf(master: Master): Link;
};

/**
 * Sends each call to the master of its key. A call that was redirected has not run, and is sent again: where the slot
 * is now, or to the same master until the slot has moved. At a master that is away it fails at once.
 */
export function connectCluster({ masters, topology, calls, linkOf }: Parts): Connection {
  async function follow<T>(
    key: string,
    name: string,
    call: (link: Link) => Promise<T>,
  ): Promise<T> {
    const slot = slotOf(key);
    const untilMs = monotonicMs() + FOLLOW_MS;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      const master = masters.of(slot);
      if (master && (linkOf(master).isReady() || !master.isNew())) {
        try {
          return await call(linkOf(master));
        } catch (error) {
          if (!(error instanceof Redirected)) throw error;
          const [, moved] = /^MOVED \d+ (\S+)/.exec(error.message) ?? [];
          if (moved) topology.moved(slot, moved);
          else topology.refresh();
          if (monotonicMs() > untilMs) return giveUp(name, error);
          // The first time at once: after MOVED the connection to the other master is there as a rule.
          if (moved && waitMs === FIRST_WAIT_MS) continue;
        }
      } else if (!master || monotonicMs() > untilMs) {
        return giveUp(name, new StoreUnavailable('no master of this slot is known'));
      }
      await sleep(waitMs);
    }
  }

  function giveUp(name: string, error: Error): never {
    calls?.failed(name);
    throw error;
  }

  return {
    db: 0,
    isSharded: true,
    clientOf(key) {
      const master = masters.of(slotOf(key));
      return master && linkOf(master).client;
    },
    isReady: () => masters.all().some((master) => linkOf(master).isReady()),
    run: (script, keys, args) => {
      const [first] = script.keys;
      const key = first === undefined ? '' : keys[first];
      return follow(key, script.name, (link) => link.run(script, keys, args));
    },
    ask: (key, command, name) =>
      follow(key, name ?? UNNAMED_CALL, (link) => link.ask(key, command, name)),
    askEach: async (command, name) =>
      (await Promise.all(masters.all().map((it) => linkOf(it).askEach(command, name)))).flat(),
    async close() {},
  };
}
