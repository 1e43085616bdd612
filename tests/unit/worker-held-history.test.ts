import { describe, expect, it } from '@jest/globals';
import type { HeadReply } from '@sluice/store';
import { HeldHistory, makeHistoryRoom } from '../../apps/gateway/dist/worker/held/held-history.js';

const limits = { maxMessages: 100, maxLogBytes: 100_000 };
const head = (turnId: string, lastTurn: string): HeadReply => ({
  ...{ fence: 7, turnId, attempt: 1, abort: '', agent: 'echo', principal: 'alice', lastTurn },
  ...{ sessionId: 's', pauseMs: Number.NaN, isTakenOver: false, isAlone: false, isCut: false },
  ...{ firstAtMs: 1, entries: [`of-${turnId} 1 0 enqueue {"c":"x"}`] },
});
const reply = { role: 'assistant', content: '', message_id: 'm', timestamp: 1 } as const;
const line = (id: string, bytes = 1) => `u ${id} 1 0 enqueue {"c":"${'x'.repeat(bytes)}"}`;

/** A history, and how often it was read from Redis. */
function remember(room = makeHistoryRoom(100_000), lines = [line('m0')]) {
  let reads = 0;
  const history = new HeldHistory(limits, room);
  const leases = {
    async history() {
      reads += 1;
      return lines;
    },
  };
  const ids = async (of: HeadReply) =>
    (await history.read(leases, 'p.s', { head: of })).map(({ message_id }) => message_id);
  return { history, ids, lines, reads: () => reads };
}

describe('what a holder remembers of a history', () => {
  it('T2 is read once, and follows what it commits', async () => {
    const { history, ids, reads } = remember();
    expect(await ids(head('t1', 't0'))).toEqual(['m0']);
    history.committed(head('t1', 't0'), reply);
    expect(await ids(head('t2', 't1'))).toEqual(['m0', 'of-t1', 'm']);
    expect(reads()).toBe(1);
  });

  it('T2 is read again when the state names another turn as the last one', async () => {
    const { history, ids, lines, reads } = remember();
    await ids(head('t1', 't0'));
    history.committed(head('t1', 't0'), reply);
    lines.push(line('m9')); // Redis has lost the commit, and got another one
    expect(await ids(head('t3', 't9'))).toEqual(['m0', 'm9']);
    // A turn that does not read the history, as an aborted one, does not make the remembered one valid.
    history.committed(head('t4', 'of-somebody'), reply);
    await ids(head('t5', 't4'));
    expect(reads()).toBe(3);
  });

  it('B1 has a total for the node: those that were quiet for longest are forgotten, and read again', async () => {
    const room = makeHistoryRoom(3_500);
    const all = [0, 1, 2, 3].map((n) => remember(room, [line(`m${n}`, 1_000)]));
    for (const { ids } of all) await ids(head('t1', 't0'));
    expect(room.bytes).toBeGreaterThan(3_000);
    expect(room.bytes).toBeLessThanOrEqual(3_500);
    const [first, second] = all;
    await second?.ids(head('t1', 't0'));
    await first?.ids(head('t1', 't0')); // now the second one was used longer ago
    expect(all.map(({ reads }) => reads())).toEqual([2, 1, 1, 1]);
    for (const { history } of all) history.forget();
    expect(room.bytes).toBe(0);
    const large = remember(room, [line('m0', 4_000)]);
    for (const turn of ['t1', 't2']) expect(await large.ids(head(turn, 't0'))).toEqual(['m0']);
    expect([large.reads(), room.bytes]).toEqual([2, 0]);
  });
});
