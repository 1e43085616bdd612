import type { TestRedis } from '@sluice/testkit';
import type { QuorumWorld } from './world.js';

/** `on`: work goes on; `stops`: no majority is left; `moves`: one node has none, the other has. */
export type Effect = 'on' | 'stops' | 'moves';

export type QuorumFault = {
  readonly name: string;
  readonly effect: Effect;
  readonly needsClock?: boolean;
  /** Begins the fault; the function that it returns ends it. */
  begin(world: QuorumWorld): Promise<() => Promise<void>>;
};

const CLOCK_MS = 90_000;

const each = (members: readonly TestRedis[], act: (member: TestRedis) => unknown) =>
  Promise.all(members.map(act)).then(() => undefined);

/** A fault of some members, and how it ends. */
function ofMembers(
  name: string,
  effect: Effect,
  {
    most,
    begin,
    end,
  }: {
    /** How many of so many. */
    most(count: number): number;
    begin(member: TestRedis): unknown;
    end(member: TestRedis): unknown;
  },
): QuorumFault {
  return {
    name,
    effect,
    async begin({ members }) {
      const hit = members.slice(0, most(members.length));
      await each(hit, begin);
      return () => each(hit, end);
    },
  };
}

const minority = (count: number) => (count - 1) / 2;
const majority = (count: number) => (count + 1) / 2;
const kill = { begin: (it: TestRedis) => it.kill(), end: (it: TestRedis) => it.start() };
const freeze = { begin: (it: TestRedis) => it.pause(), end: (it: TestRedis) => it.resume() };

const moved = (name: string, offsetMs: number): QuorumFault => ({
  name,
  effect: 'on',
  needsClock: true,
  async begin({ members: [member] }) {
    member?.moveClock(offsetMs);
    return async () => member?.moveClock(0);
  },
});

/** Nothing passes between these nodes and members, in either direction, and nothing is closed. */
const cutOff = (
  name: string,
  effect: Effect,
  which: { readonly nodes: number; most(count: number): number },
): QuorumFault => ({
  name,
  effect,
  async begin({ proxies, members }) {
    const cut = proxies
      .slice(0, which.nodes)
      .flatMap((ways) => ways.slice(0, which.most(members.length)));
    for (const way of cut) way.blackhole(true);
    return async () => {
      for (const way of cut) way.blackhole(false);
    };
  },
});

const ALL_NODES = Number.POSITIVE_INFINITY;

export const quorumFaults: readonly QuorumFault[] = [
  ofMembers('a minority killed', 'on', { most: minority, ...kill }),
  ofMembers('a minority frozen', 'on', { most: minority, ...freeze }),
  cutOff('a minority cut off', 'on', { nodes: ALL_NODES, most: minority }),
  {
    name: 'a member restarted empty, then another',
    effect: 'on',
    async begin({ members }) {
      for (const member of members.slice(0, 2)) {
        await member.kill();
        await member.start();
        await new Promise((resolve) => setTimeout(resolve, 1_500));
      }
      return async () => undefined;
    },
  },
  {
    name: 'all members emptied at once',
    effect: 'on',
    async begin({ members }) {
      await each(members, (member) => member.client().flushall());
      return async () => undefined;
    },
  },
  moved('the clock of a member 90 s ahead', CLOCK_MS),
  moved('the clock of a member 90 s behind', -CLOCK_MS),
  ofMembers('the majority killed', 'stops', { most: majority, ...kill }),
  ofMembers('the majority frozen', 'stops', { most: majority, ...freeze }),
  cutOff('the majority cut off', 'stops', { nodes: ALL_NODES, most: majority }),
  cutOff('one node cut off from all members', 'moves', { nodes: 1, most: (count) => count }),
];
