import { afterEach, describe, expect, it } from '@jest/globals';
import { monotonicMs, sleep } from '@sluice/runtime';
import { type Lease, StoreUnavailable } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { makeLog } from '../../apps/gateway/dist/log.js';
import {
  type KeptLease,
  makeRenewals,
  type Renewals,
} from '../../apps/gateway/dist/worker/held/renewals.js';

const TTL_MS = 400;
const log = makeLog({ level: 'silent', pretty: false });
const renewed = { kind: 'renewed', abort: '', waits: false } as const;

type Call = { partition: number; leases: readonly Lease[]; sentMs: number };

describe('the renewals of a node', () => {
  let node: Renewals | undefined;
  afterEach(() => node?.stop());

  /** Calls are answered when `answer` resolves; at once when it returns undefined. */
  function start(answer: (call: Call) => Promise<unknown> | undefined = () => undefined) {
    const calls: Call[] = [];
    const damaged: string[] = [];
    const manyLeases = {
      async renew(partition: number, leases: readonly Lease[]) {
        const call = { partition, leases, sentMs: monotonicMs() };
        calls.push(call);
        const replies = (await answer(call)) ?? leases.map(() => renewed);
        return { replies, deadlineMs: call.sentMs + TTL_MS };
      },
    };
    node = makeRenewals({
      manyLeases: manyLeases as never,
      ttlMs: TTL_MS,
      damage: (where) => void damaged.push(where),
      log,
    });
    return { calls, damaged, node };
  }

  /** An idle lease as its keeper has it. */
  function keep(to: Renewals, { id = 'p.s', partition = 0, ageMs = 0 } = {}) {
    let deadlineMs = monotonicMs() + TTL_MS - ageMs;
    const heard: string[] = [];
    let looks = 0;
    /** To its deadline, when it was found late. */
    let leftMs = 0;
    const kept: KeptLease = {
      lease: { id, token: `token-${id}`, fence: 1 },
      get dueMs() {
        return deadlineMs - (TTL_MS * 2) / 3;
      },
      get soonestMs() {
        return deadlineMs - (TTL_MS * 2) / 3;
      },
      get trustedUntilMs() {
        looks += 1;
        return deadlineMs - TTL_MS / 10;
      },
      heard(reply, untilMs) {
        heard.push(reply.kind);
        if (reply.kind === 'renewed') deadlineMs = untilMs;
      },
      late() {
        heard.push('late');
        leftMs = deadlineMs - monotonicMs();
        to.remove(kept, partition);
        return true;
      },
    };
    to.add(kept, partition);
    return { kept, heard, looks: () => looks, left: () => leftMs };
  }

  it('L1 ask once in a third of the TTL for all that a partition has, and for each partition alone', async () => {
    const { calls, node } = start();
    // Leases of different ages: those that are nearly due are renewed too, and stay together from then on.
    for (let at = 0; at < 30; at += 1) {
      keep(node, { id: `p.s${at}`, partition: at % 2, ageMs: at * 2 });
    }
    await sleep(3 * TTL_MS);
    const of = (partition: number) => calls.filter((call) => call.partition === partition);
    for (const partition of [0, 1]) {
      const sizes = of(partition).map(({ leases }) => leases.length);
      expect(sizes.slice(1)).toEqual(sizes.slice(1).map(() => 15));
      expect(sizes.length).toBeGreaterThanOrEqual(6);
      expect(sizes.length).toBeLessThanOrEqual(10);
    }
  });

  it('L1 look at a lease only while it may be due', async () => {
    const { calls, node } = start();
    const { looks } = keep(node);
    await sleep(3 * TTL_MS); // 120 looks at the node's leases
    expect(calls.length).toBeGreaterThanOrEqual(7);
    expect(looks()).toBeLessThan(4 * calls.length);
  });

  it('L1 ask for no more than 100 at once, with no more than four calls on their way', async () => {
    const answers: (() => void)[] = [];
    const { calls, node } = start(
      () => new Promise((resolve) => answers.push(() => resolve(undefined))),
    );
    for (let at = 0; at < 750; at += 1) keep(node, { id: `p.s${at}`, ageMs: TTL_MS / 2 });
    await eventually(() => calls.length === 4);
    await sleep(TTL_MS / 8);
    expect(calls).toHaveLength(4);
    for (let sent = 4; sent < 8; sent += 1) {
      answers.shift()?.();
      await eventually(() => calls.length === sent + 1);
    }
    expect(calls.map(({ leases }) => leases.length)).toEqual([...Array(7).fill(100), 50]);
    for (const answer of answers) answer();
  });

  it('L4 a call that fails, or stays away, loses those of its partition alone, at their deadline', async () => {
    const { calls, node } = start(({ partition }) => {
      if (partition === 1) return Promise.reject(new StoreUnavailable());
      return partition === 2 ? new Promise(() => undefined) : undefined;
    });
    const [fine, failing, silent] = [0, 1, 2].map((partition) =>
      keep(node, { id: `p.s${partition}`, partition }),
    );
    await eventually(() => failing?.heard.includes('late') && silent?.heard.includes('late'));
    expect(failing?.left()).toBeGreaterThan(0);
    expect(silent?.left()).toBeGreaterThan(0);
    expect(fine?.heard).not.toContain('late');
    // The call that fails is repeated for as long as its leases can be saved.
    expect(calls.filter(({ partition }) => partition === 1).length).toBeGreaterThan(5);
    expect(calls.filter(({ partition }) => partition === 2)).toHaveLength(1);
  });

  it('L4 what was given up before its call is not asked for, and a damaged one harms no other', async () => {
    const { calls, damaged, node } = start(async ({ leases }) =>
      leases.map(({ id }) => (id === 'p.bad' ? { kind: 'damaged', why: 'WRONGTYPE' } : renewed)),
    );
    const ageMs = TTL_MS / 2;
    const [gone, bad, good] = ['p.gone', 'p.bad', 'p.good'].map((id) => keep(node, { id, ageMs }));
    if (gone) node.remove(gone.kept, 0);
    await eventually(() => bad?.heard.includes('late'));
    expect(calls[0]?.leases.map(({ id }) => id)).toEqual(['p.bad', 'p.good']);
    expect([gone?.heard, good?.heard.includes('late')]).toEqual([[], false]);
    expect(new Set(damaged)).toEqual(new Set(['session p.bad']));
  });
});
