import { describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { Lane } from '../../packages/store/src/reads/lane.js';
import { CallerGone, StoreBusy } from '../../packages/store/src/redis/unavailable.js';

/** A read that is answered when the test says so. */
function held(started: string[], name: string) {
  let answer = () => {};
  const call = () => {
    started.push(name);
    return new Promise<string>((resolve) => {
      answer = () => resolve(name);
    });
  };
  return { call, answer: () => answer() };
}

const made = () => new Lane({ atOnce: 2, waitingMax: 256, waitMaxMs: 2_000 });
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('large reads', () => {
  it('X5 60 reads of one principal delay a read of another by one reply', async () => {
    const lane = made();
    const started: string[] = [];
    const many = Array.from({ length: 60 }, (_, i) => held(started, `alice ${i}`));
    const reads = many.map(({ call }) => lane.run('alice', call));
    const other = held(started, 'bob');
    reads.push(lane.run('bob', other.call));
    expect(started).toEqual(['alice 0', 'alice 1']);
    many[0]?.answer();
    await settled();
    many[1]?.answer();
    await settled();
    expect(started.slice(2).sort()).toEqual(['alice 2', 'bob']);
    other.answer();
    for (const { answer } of many.slice(2)) {
      answer();
      await settled();
    }
    await Promise.all(reads);
  });

  it('X5 a read whose caller has gone is never sent, and the next one is', async () => {
    const lane = made();
    const started: string[] = [];
    const first = [held(started, 'a'), held(started, 'b')];
    const running = first.map(({ call }) => lane.run('alice', call));
    let isGone = false;
    const gone = lane.run(
      'alice',
      async () => started.push('gone'),
      () => (isGone ? new CallerGone() : undefined),
    );
    const next = lane.run('alice', async () => started.push('next'));
    isGone = true;
    for (const { answer } of first) answer();
    await expect(gone).rejects.toThrow(CallerGone);
    await next;
    await Promise.all(running);
    expect(started).toEqual(['a', 'b', 'next']);
  });

  it('X5 a read that has waited for too long is never sent either', async () => {
    const lane = new Lane({ atOnce: 1, waitMaxMs: 20 });
    const started: string[] = [];
    const slow = held(started, 'slow');
    const running = lane.run('alice', slow.call);
    const late = lane.run('alice', async () => started.push('late'));
    await sleep(40);
    slow.answer();
    await expect(late).rejects.toThrow(StoreBusy);
    await running;
    expect(started).toEqual(['slow']);
  });

  it('X5 at most 256 reads of one principal wait; others still may', async () => {
    const lane = made();
    const started: string[] = [];
    const first = [held(started, 'a'), held(started, 'b')];
    const reads: Promise<unknown>[] = first.map(({ call }) => lane.run('alice', call));
    for (let i = 0; i < 256; i += 1) reads.push(lane.run('alice', async () => i));
    await expect(lane.run('alice', async () => 0)).rejects.toThrow(StoreBusy);
    reads.push(lane.run('bob', async () => 0));
    for (const { answer } of first) answer();
    await Promise.all(reads);
  });

  it('X5 a read that fails makes room just like one that is answered', async () => {
    const lane = made();
    const fail = () => lane.run('alice', () => Promise.reject(new Error('lost')));
    await Promise.allSettled([fail(), fail(), fail()]);
    expect(await lane.run('alice', async () => 'answered')).toBe('answered');
  });
});
