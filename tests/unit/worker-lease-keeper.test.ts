import { afterEach, describe, expect, it } from '@jest/globals';
import { monotonicMs, sleep } from '@sluice/runtime';
import type { LeaseRenewed } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { makeLog } from '../../apps/gateway/dist/log.js';
import { handOver } from '../../apps/gateway/dist/worker/held/hand-over.js';
import { keepLease } from '../../apps/gateway/dist/worker/held/lease-keeper.js';
import { makeReleases } from '../../apps/gateway/dist/worker/held/releases.js';
import { makeRenewals, type Renewals } from '../../apps/gateway/dist/worker/held/renewals.js';

/** So long that a busy machine answers in time. */
const TTL_MS = 900;
const lease = { id: 'p.s', token: 't', fence: 1 };
const log = makeLog({ level: 'silent', pretty: false });

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A keeper, and a Redis behind a slow connection: each answer comes when the test lets it through. */
function hold() {
  const renewals: ((kind: 'renewed' | 'fenced') => void)[] = [];
  const together: ((reply: LeaseRenewed) => void)[] = [];
  const releases: ((reply: object) => void)[] = [];
  const heard: string[] = [];
  const leases = {
    renew: () =>
      new Promise((resolve) => {
        const deadlineMs = monotonicMs() + TTL_MS;
        renewals.push((kind) =>
          resolve({
            reply: kind === 'fenced' ? { kind, isEnded: false } : { kind, abort: '' },
            deadlineMs,
          }),
        );
      }),
  };
  const manyLeases = {
    release: () => new Promise((resolve) => releases.push((reply) => resolve([reply]))),
    renew: () =>
      new Promise((resolve) => {
        const deadlineMs = monotonicMs() + TTL_MS;
        together.push((reply) => resolve({ replies: [reply], deadlineMs }));
      }),
  };
  const node: Renewals = makeRenewals({
    manyLeases: manyLeases as never,
    ttlMs: TTL_MS,
    damage: () => undefined,
    log,
  });
  const keeper = keepLease(
    { lease, claim: { token: 't', deadlineMs: monotonicMs() + TTL_MS } },
    {
      leases: leases as never,
      renewals: node,
      partition: 0,
      ttlMs: TTL_MS,
      log,
      onLost: () => heard.push('lost'),
      onAbort: (reason) => heard.push(`abort ${reason}`),
      onWaits: () => heard.push('waits'),
      onUnlocked: () => heard.push('unlocked'),
    },
  );
  stops.push(keeper.stop, node.stop);
  const given = makeReleases(manyLeases as never, () => 0);
  const context = { leases, releases: given, phase: 'running', rings: {}, metrics: {} };
  return {
    ...{ renewals, together, releases, heard, keeper },
    giveUp: () => handOver(context as never, { lease, keeper } as never, 'idle'),
  };
}

describe('a lease that is given up while it is renewed', () => {
  it('L4 is not lost by a renewal that Redis answers after the release', async () => {
    const { renewals, releases, heard, giveUp } = hold();
    await eventually(() => renewals.length === 1);
    const givenUp = giveUp();
    await eventually(() => releases.length === 1);
    renewals[0]?.('fenced'); // the release came first, and its answer is still on its way
    await sleep(20);
    releases[0]?.({ kind: 'released' });
    expect(await givenUp).toBe('released');
    expect(heard).toEqual([]);
  });

  it('L4 is not lost by a renewal with others either', async () => {
    const { together, releases, heard, keeper, giveUp } = hold();
    keeper.idle();
    await eventually(() => together.length === 1);
    const givenUp = giveUp();
    await eventually(() => releases.length === 1);
    together[0]?.({ kind: 'fenced', isEnded: false });
    await sleep(20);
    releases[0]?.({ kind: 'released' });
    expect([await givenUp, heard]).toEqual(['released', []]);
  });

  it('L1 is renewed again, at once, when something has come meanwhile', async () => {
    const { renewals, releases, heard, giveUp, keeper } = hold();
    const givenUp = giveUp();
    await eventually(() => releases.length === 1);
    await sleep(TTL_MS / 2);
    expect(renewals).toHaveLength(0);
    releases[0]?.({ kind: 'more' });
    expect(await givenUp).toBe('more');
    expect(renewals).toHaveLength(1);
    renewals[0]?.('renewed');
    await eventually(() => renewals.length === 2);
    renewals[1]?.('renewed');
    expect([heard, keeper.lost.aborted]).toEqual([[], false]);
  });

  it('L4 is lost when the release is not answered within the TTL', async () => {
    const { heard, giveUp, keeper } = hold();
    void giveUp();
    await eventually(() => keeper.lost.aborted);
    expect(heard).toEqual(['lost']);
  });
});

describe('a lease under which no turn runs', () => {
  it('L1 is renewed with others alone, and by itself again once a turn runs', async () => {
    const { renewals, together, keeper } = hold();
    keeper.idle();
    for (let n = 1; n <= 3; n += 1) {
      await eventually(() => together.length === n);
      together[n - 1]?.({ kind: 'renewed', abort: '', waits: false });
    }
    expect(renewals).toHaveLength(0);
    keeper.run();
    await eventually(() => renewals.length === 1);
    expect(keeper.lost.aborted).toBe(false);
  });

  it('L4 is lost at its deadline when Redis does not answer, and when another node has it', async () => {
    const silent = hold();
    silent.keeper.idle();
    await eventually(() => silent.keeper.lost.aborted);
    expect([silent.heard, silent.together.length]).toEqual([['lost'], 1]);
    const refused = hold();
    refused.keeper.idle();
    await eventually(() => refused.together.length === 1);
    refused.together[0]?.({ kind: 'fenced', isEnded: false });
    await eventually(() => refused.keeper.lost.aborted);
    expect(refused.heard).toEqual(['lost']);
  });

  it('T7 L1 hears that something waits, and that its Redlock is gone', async () => {
    const { together, heard, keeper } = hold();
    keeper.idle();
    await eventually(() => together.length === 1);
    together[0]?.({ kind: 'renewed', abort: '', waits: true });
    await eventually(() => together.length === 2);
    together[1]?.({ kind: 'unlocked' });
    await eventually(() => heard.length === 2);
    expect([heard, keeper.lost.aborted]).toEqual([['waits', 'unlocked'], false]);
  });

  it('T6 asks by itself for an abort that it hears of with others', async () => {
    const { renewals, together, keeper } = hold();
    keeper.idle();
    await eventually(() => together.length === 1);
    together[0]?.({ kind: 'renewed', abort: 'user', waits: false });
    await eventually(() => renewals.length === 1);
    keeper.stop();
  });
});
