import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { pino } from 'pino';
import { type Holder, makeUnfinished } from '../../apps/gateway/src/edge/limits/unfinished.js';
import { Unsent } from '../../apps/gateway/src/edge/limits/unsent.js';
import { connected, started, until } from '../support/edge/edge-started.js';

const MiB = 2 ** 20;
const LIMIT = 256 * MiB;

/** Connections that hold memory, and a process that has them. `isExact` false: freed memory stays with it. */
function process({ isExact = true } = {}) {
  const holders = new Set<Holder>();
  const clock = { ms: 10_000 };
  const rest = { bytes: 60 * MiB };
  let held = 0;
  const open = (principal: string, bytes: number, hasGreeted = true) => {
    held += bytes;
    const holder: Holder = {
      principal,
      hasGreeted,
      openedMs: clock.ms,
      cut: () => {
        if (holders.delete(holder) && isExact) held -= bytes;
      },
    };
    holders.add(holder);
  };
  const unfinished = makeUnfinished({
    holders,
    maxBytes: LIMIT,
    maxHeldBytes: 4 * MiB,
    countedBytes: () => 0,
    memoryBytes: () => rest.bytes + held,
    nowMs: () => clock.ms,
    isExact,
    log: pino({ level: 'silent' }),
  });
  const opens = (count: number, ...args: Parameters<typeof open>) => {
    for (let at = 0; at < count; at += 1) open(...args);
  };
  const left = (principal: string) =>
    [...holders].filter((holder) => holder.principal === principal).length;
  return { ...unfinished, holders, opens, left, clock, rest, heldBytes: () => held };
}

describe('messages that have not arrived in full', () => {
  it('B1 have a total for the node: connections without a hello are cut, and no others', () => {
    const node = process();
    node.opens(1_000, 'quiet', 0);
    node.opens(400, 'hostile', 4 * MiB, false);
    node.clock.ms += 300;
    node.look();
    expect(node.heldBytes()).toBeLessThan(LIMIT);
    expect(node.left('quiet')).toBe(1_000);
  });

  it('B1 do not cost connections that have just come, and may say hello in a moment', () => {
    const node = process();
    node.opens(100, 'hostile', 4 * MiB, false);
    node.clock.ms += 300;
    node.opens(50, 'coming', 0, false);
    node.look();
    expect(node.left('coming')).toBe(50);
  });

  it('B1 of a principal that said hello cost others at most one batch each', () => {
    const node = process();
    node.opens(1_000, 'quiet', 0);
    node.opens(400, 'hostile', 4 * MiB);
    node.look();
    expect(node.heldBytes()).toBeLessThan(LIMIT);
    expect(node.left('quiet')).toBe(992);
  });

  it('B1 never cost a principal that could not hold them, while others come without a hello', () => {
    const node = process();
    node.opens(7, 'quiet', 0);
    node.opens(100, '', 4 * MiB, false);
    node.rest.bytes += 2 * LIMIT; // memory that has not gone back to the system yet
    node.clock.ms += 300;
    node.look();
    expect(node.left('quiet')).toBe(7);
    expect(node.left('')).toBe(0);
  });

  it('B1 are not looked for again when memory grows for another reason', () => {
    const node = process();
    for (let at = 0; at < 100; at += 1) node.opens(10, `quiet-${at}`, 0);
    node.rest.bytes += 2 * LIMIT;
    for (let at = 0; at < 10; at += 1) node.look();
    const left = Array.from({ length: 100 }, (_, at) => node.left(`quiet-${at}`));
    expect(left.reduce((sum, count) => sum + count)).toBe(968);
  });

  it('B1 cost nobody when many connections have left', () => {
    const node = process();
    node.opens(50_000, 'quiet', 5 * 1024);
    node.look();
    for (const holder of [...node.holders]) holder.cut();
    node.opens(40, 'next', 0);
    node.look();
    expect(node.left('next')).toBe(40);
  });

  it('B1 cost nobody who said hello where freed memory cannot be seen', () => {
    const node = process({ isExact: false });
    node.opens(10, 'quiet', 0);
    node.opens(400, 'hostile', 4 * MiB, false);
    node.clock.ms += 300;
    for (let at = 0; at < 100; at += 1) {
      node.look();
      node.clock.ms += 100;
    }
    expect(node.left('quiet')).toBe(10);
    expect(node.left('hostile')).toBe(0);
  });

  it('B1 end with a cut instead of a close, once they have half of their total', async () => {
    const node = process();
    node.look();
    expect(node.isPressed()).toBe(false);
    node.opens(40, 'hostile', 4 * MiB);
    node.look();
    expect(node.isPressed()).toBe(true);
    // A server cuts then. A count below zero for memory that is counted elsewhere makes that much look held.
    const held = { bytes: 0 };
    class Held extends Unsent {
      override get bytes() {
        return -held.bytes;
      }
    }
    const maxBytes = 2 ** 40;
    const unsent = new Held({ maxBytes, maxBytesPerPrincipal: 0, onFull: () => undefined });
    const { wsUrl, sockets } = await started({ unsent });
    const closes = async () => {
      const { closed } = await connected(wsUrl);
      await until(() => sockets.length > 0, 'the socket');
      sockets.pop()?.close(4_000, 'over');
      return (await closed).code;
    };
    expect(await closes()).toBe(4_000);
    held.bytes = maxBytes * 0.75;
    await eventually(async () => expect(await closes()).toBe(1006));
  });
});
