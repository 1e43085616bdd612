import { beforeEach, describe, expect, it } from '@jest/globals';
import { Outstanding, Tally } from '../../apps/cli/src/bench/tally.js';

describe('what a load client counts', () => {
  let tally: Tally;
  let session: Outstanding;
  beforeEach(() => {
    tally = new Tally();
    session = new Outstanding(tally);
    for (const id of ['m1', 'm2']) session.add(id, 100);
  });
  const accepted = (id: string, more = {}) =>
    session.receive({ status: 'accepted', message_id: id, ...more }, 110);
  const final = (id: string, more = {}) =>
    session.receive({ status: 'final', message_id: id, outcome: { status: 'ok' }, ...more }, 150);

  it('S2 one outcome for each acknowledgement is nothing lost', () => {
    for (const id of ['m1', 'm2']) accepted(id);
    for (const id of ['m1', 'm2']) final(id);
    expect(tally).toMatchObject({
      sent: 2,
      acknowledged: 2,
      finished: 2,
      doubled: 0,
      reordered: 0,
    });
    expect([session.count, session.unfinished, session.unacknowledged()]).toEqual([0, 0, []]);
    expect([tally.ackUs.max, tally.replyUs.max].map((us) => Math.round(us / 1_000))).toEqual([
      10, 50,
    ]);
  });

  it('S2 an acknowledged message without outcome is lost, one without an answer is not', () => {
    accepted('m1');
    expect([session.unfinished, session.unacknowledged()]).toEqual([1, ['m2']]);
  });

  it('S3 a second outcome is doubled, unless it answers a message that was sent again', () => {
    for (const id of ['m1', 'm2']) accepted(id);
    final('m1');
    accepted('m1', { duplicate: true });
    final('m1', { duplicate: true });
    expect(tally).toMatchObject({ acknowledged: 2, finished: 1, doubled: 0 });
    final('m1');
    expect(tally.doubled).toBe(1);
  });

  it('T1 an outcome before that of an earlier message is reordered', () => {
    for (const id of ['m2', 'm1']) accepted(id);
    final('m1');
    expect(tally).toMatchObject({ finished: 1, reordered: 1 });
    final('m2');
    expect(tally).toMatchObject({ finished: 2, reordered: 1 });
  });

  it('S4 a refused message is an error, and not on its way any more', () => {
    session.receive({ type: 'error', code: 'inbox_full', message_id: 'm1' }, 110);
    expect([tally.errors, session.count, session.refused]).toEqual([{ inbox_full: 1 }, 1, 1]);
  });
});
