import { afterEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import type { ResumeMark, SessionRef } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { makeMarks } from '../../apps/gateway/dist/edge/delivery/marks.js';
import { makeLog } from '../../apps/gateway/dist/log.js';

type Written = ResumeMark & { readonly session: string };

let written: Written[] = [];
let answer: () => Promise<string> = async () => 'marked';
let timer: NodeJS.Timeout | undefined;

function made() {
  written = [];
  answer = async () => 'marked';
  return makeMarks(
    {
      mark: (ref: SessionRef, mark: ResumeMark) => {
        written.push({ session: ref.sessionId, ...mark });
        return answer();
      },
    },
    makeLog({ level: 'silent', pretty: false }),
  );
}
afterEach(() => clearInterval(timer));

const feedOf = () => ({}) as never;
const ref = (sessionId: string): SessionRef => ({ principal: 'p', sessionId });
/** The lowest seq that the calls have written for attached connections. */
const lowest = () => written.filter((mark) => mark.lowest !== undefined).at(-1)?.lowest;

describe('resume marks of connections that track no cursor', () => {
  it('E10 are one for each session, the lowest, however many connections there are', async () => {
    const marks = made();
    const feed = feedOf();
    const readers = Array.from({ length: 2_000 }, () => ({ sentSeq: 5 }));
    const parts = readers.map(() => marks.enter(feed, ref('one')));
    for (const [n, part] of parts.entries()) part.bind(readers[n] ?? { sentSeq: 0 });
    timer = marks.start(100);
    await eventually(() => written.length === 1);
    for (const reader of readers) reader.sentSeq = 9;
    const [slow] = readers;
    if (slow) slow.sentSeq = 7;
    await eventually(() => written.length === 2);
    expect(written).toEqual([
      { session: 'one', lowest: 5 },
      { session: 'one', lowest: 7 },
    ]);
    // Nothing moves: nothing is written.
    await sleep(250);
    expect(written).toHaveLength(2);
  });

  it('E10 of many sessions are written over the whole second, not in one tick', async () => {
    const marks = made();
    for (let n = 0; n < 5_000; n++) marks.enter(feedOf(), ref(`s${n}`)).bind({ sentSeq: n });
    let inTick = 0;
    let most = 0;
    answer = async () => {
      if (inTick++ === 0) setImmediate(() => (inTick = 0));
      most = Math.max(most, inTick);
      return 'marked';
    };
    timer = marks.start(1_000);
    await eventually(() => written.length === 5_000);
    expect(new Set(written.map(({ session }) => session)).size).toBe(5_000);
    expect(most).toBeLessThanOrEqual(501);
  });

  it('E10 a detach writes how far that connection came, and the lowest of the others', async () => {
    const marks = made();
    const feed = feedOf();
    const [first, second] = [marks.enter(feed, ref('one')), marks.enter(feed, ref('one'))];
    first.bind({ sentSeq: 3 });
    second.bind({ sentSeq: 8 });
    first.leave();
    first.leave();
    second.leave();
    expect(written).toEqual([
      { session: 'one', lowest: 8, detached: 3 },
      { session: 'one', lowest: 'none', detached: 8 },
    ]);
    await marks.written();
  });

  it('E10 stay as low as Redis put them while an attach is under way', async () => {
    const marks = made();
    const feed = feedOf();
    const [first, second] = [marks.enter(feed, ref('one')), marks.enter(feed, ref('one'))];
    first.bind({ sentSeq: 8 });
    timer = marks.start(100);
    await sleep(250);
    first.leave(); // no connection is bound now, but one is entering, which has a mark too
    expect(written).toEqual([{ session: 'one', detached: 8 }]);
    second.bind({ sentSeq: 2 });
    await eventually(() => lowest() === 2);
  });

  it('E10 one that could not be written is written again', async () => {
    const marks = made();
    answer = () => Promise.reject(new Error('away'));
    marks.enter(feedOf(), ref('one')).bind({ sentSeq: 4 });
    timer = marks.start(100);
    await eventually(() => written.length >= 2);
    expect(lowest()).toBe(4);
  });
});
