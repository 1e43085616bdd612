import { afterEach, describe, expect, it } from '@jest/globals';
import { makeLog, monotonicMs, sleep } from '@sluice/runtime';
import { eventually } from '@sluice/testkit';
import { handOver } from '../../apps/gateway/dist/worker/hand-over.js';
import { keepLease, type LeaseKeeper } from '../../apps/gateway/dist/worker/lease-keeper.js';

const TTL_MS = 300;
const lease = { id: 'p.s', token: 't', fence: 1 };

let keeper: LeaseKeeper | undefined;
afterEach(() => keeper?.stop());

/** A keeper, and Redis as one sees it through a slow connection: each answer comes when it is let through. */
function hold() {
  const renewals: ((kind: 'renewed' | 'fenced') => void)[] = [];
  const releases: ((reply: object) => void)[] = [];
  let lost = 0;
  const leases = {
    renew: () =>
      new Promise((resolve) => {
        const sentMs = monotonicMs();
        renewals.push((kind) =>
          resolve({
            reply: kind === 'fenced' ? { kind, isEnded: false } : { kind, abort: '' },
            lock: {},
            deadlineMs: sentMs + TTL_MS,
          }),
        );
      }),
    release: () => new Promise((resolve) => releases.push(resolve)),
  };
  const made = keepLease(
    leases as never,
    { lease, claim: { token: 't', lock: {} as never, deadlineMs: monotonicMs() + TTL_MS } },
    {
      ttlMs: TTL_MS,
      log: makeLog({ level: 'silent', pretty: false }),
      onLost: () => lost++,
      onAbort: () => undefined,
      onWaits: () => undefined,
    },
  );
  keeper = made;
  const context = { leases, phase: 'running', rings: {}, metrics: {} };
  return {
    renewals,
    releases,
    lost: () => lost,
    keeper: made,
    giveUp: () => handOver(context as never, { lease, keeper: made } as never, 'idle'),
  };
}

describe('a lease that is given up while it is renewed', () => {
  it('L4 is not lost by a renewal that Redis answers behind the release', async () => {
    const { renewals, releases, lost, giveUp } = hold();
    await eventually(() => renewals.length === 1);
    const givenUp = giveUp();
    await eventually(() => releases.length === 1);
    renewals[0]?.('fenced'); // the release came first, and its answer is still on its way
    await sleep(20);
    releases[0]?.({ kind: 'released' });
    expect(await givenUp).toBe('released');
    expect(lost()).toBe(0);
  });

  it('L1 is renewed again, at once, when something has come meanwhile', async () => {
    const { renewals, releases, lost, giveUp, keeper } = hold();
    const givenUp = giveUp();
    await eventually(() => releases.length === 1);
    await sleep(TTL_MS / 2);
    expect(renewals).toHaveLength(0);
    releases[0]?.({ kind: 'more' });
    expect(await givenUp).toBe('more');
    await eventually(() => renewals.length === 1);
    renewals[0]?.('renewed');
    await eventually(() => renewals.length === 2);
    renewals[1]?.('renewed');
    expect([lost(), keeper.lost.aborted]).toEqual([0, false]);
  });

  it('L4 is lost when the release is not answered within the TTL', async () => {
    const { lost, giveUp, keeper } = hold();
    void giveUp();
    await eventually(() => keeper.lost.aborted);
    expect(lost()).toBe(1);
  });
});
