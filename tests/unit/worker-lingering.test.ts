import { describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { makeLingering } from '../../apps/gateway/dist/worker/held/lingering.js';

type Session = { keeper: { lost: AbortSignal }; endLinger?: ((why: never) => void) | undefined };

const session = (lost = new AbortController()) => ({
  lost,
  held: { keeper: { lost: lost.signal } } as Session,
});

describe('sessions that linger', () => {
  /** `ended`: which sessions ended, and why, in order. */
  function start(lingerMs: number, max = 10) {
    const lingering = makeLingering({ lingerMs, max });
    const ended: string[] = [];
    const wait = (name: string, held: Session) =>
      lingering.wait(held as never).then((why) => void ended.push(`${name} ${why}`));
    return { lingering, ended, wait };
  }

  it('T7 end each at its own time, the one that began first', async () => {
    const { lingering, ended, wait } = start(80);
    const first = wait('a', session().held);
    await sleep(40);
    const second = wait('b', session().held);
    await first;
    expect([ended, lingering.size]).toEqual([['a end'], 1]);
    await second;
    expect([ended, lingering.size]).toEqual([['a end', 'b end'], 0]);
  });

  it('T7 L4 end at once when they are woken, or their lease is lost', async () => {
    const { lingering, ended, wait } = start(10_000);
    const [woken, lost, other] = [session(), session(), session()];
    const waits = [wait('woken', woken.held), wait('lost', lost.held)];
    void wait('other', other.held);
    woken.held.endLinger?.('wake' as never);
    lost.lost.abort();
    await Promise.all(waits);
    expect([ended, lingering.size]).toEqual([['woken wake', 'lost lost'], 1]);
    expect(woken.held.endLinger).toBeUndefined();
    other.held.endLinger?.('drain' as never);
  });

  it('B1 beyond the limit the one that is quiet for longest ends', async () => {
    const { lingering, ended, wait } = start(10_000, 2);
    const [a, b, c, d] = [session(), session(), session(), session()];
    void wait('a', a.held);
    void wait('b', b.held);
    a.held.endLinger?.('wake' as never); // a new message for it
    await sleep(1);
    void wait('a', a.held);
    void wait('c', c.held);
    void wait('d', d.held);
    await sleep(1);
    expect([ended, lingering.size]).toEqual([['a wake', 'b end', 'a end'], 2]);
    for (const { held } of [c, d]) held.endLinger?.('drain' as never);
  });
});
