import { afterEach, describe, expect, it } from '@jest/globals';
import type { AgentEvent } from '@sluice/agents';
import { sleep } from '@sluice/runtime';
import { eventually } from '@sluice/testkit';
import { deltaWindowMs, makeDeltaPace } from '../../apps/gateway/dist/worker/gates/delta-pace.js';
import { type Append, makeDeltaBuffer } from '../../apps/gateway/dist/worker/turns/delta-buffer.js';

const delta = (content: string): AgentEvent => ({ type: 'delta', content });
const progress = (id: string, done: number): AgentEvent => ({
  type: 'tool_progress',
  tool_call: { id, done },
});

/** The `data` of each event in a batch, as it is logged. */
const dataOf = (batch: readonly string[][]) =>
  batch.map((fields) => JSON.parse(fields.at(-1) ?? 'null'));
const textOf = (batches: readonly string[][][]) =>
  batches.flatMap(dataOf).reduce((text, { content }) => text + content, '');

const bufferOf = (append: Append, onFailed = () => {}) =>
  makeDeltaBuffer('m1', { append, onFailed, pace: makeDeltaPace(50) });

describe('what an agent streams', () => {
  const rejections: unknown[] = [];
  const onRejection = (error: unknown) => rejections.push(error);
  process.on('unhandledRejection', onRejection);
  afterEach(() => {
    rejections.length = 0;
  });

  it('E1 is appended as soon as an append that took longer than its window has ended', async () => {
    const batches: string[][][] = [];
    const buffer = bufferOf(async (_number, batch) => {
      batches.push(batch);
      await sleep(100);
      return true;
    });
    buffer.push(delta('first '));
    await eventually(() => batches.length === 1);
    buffer.push(delta('second')); // its window ends in mid-append, and no other event comes
    await eventually(() => batches.length === 2);
    expect(textOf(batches)).toBe('first second');
    expect(await buffer.settle()).toEqual([]);
  });

  it('E1 adds up whatever the pace of events and appends, in numbered batches', async () => {
    const numbers: number[] = [];
    const batches: string[][][] = [];
    let isSending = false;
    const buffer = bufferOf(async (number, batch) => {
      expect(isSending).toBe(false);
      isSending = true;
      await sleep((number * 13) % 60);
      isSending = false;
      numbers.push(number);
      batches.push(batch);
      return true;
    });
    const pieces = Array.from({ length: 60 }, (_, n) => `${n}${'.'.repeat((n % 7) * 300)} `);
    for (const [n, piece] of pieces.entries()) {
      buffer.push(delta(piece));
      if (n % 3 === 0) await sleep((n * 7) % 30);
    }
    batches.push(await buffer.settle());
    expect(textOf(batches)).toBe(pieces.join(''));
    expect(numbers).toEqual(numbers.map((_, n) => n + 1));
  });

  it('C3 an append that fails is kept: settle throws it, the turn is stopped, no rejection is left', async () => {
    const fault = new Error('NOPERM this user has no permissions');
    let stops = 0;
    const buffer = bufferOf(
      async () => {
        await sleep(10);
        throw fault;
      },
      () => stops++,
    );
    buffer.push(delta('lost'));
    await eventually(() => stops === 1);
    expect(buffer.push(delta('x'.repeat(300 * 1024)))).toBeUndefined();
    await sleep(50); // an unhandled rejection would be reported by now
    expect([stops, rejections]).toEqual([1, []]);
    await expect(buffer.settle()).rejects.toBe(fault);
  });

  it('L3 nothing is appended after a batch that was refused', async () => {
    let appends = 0;
    const buffer = bufferOf(async () => {
      appends++;
      await sleep(40);
      return false;
    });
    buffer.push(delta('first'));
    await eventually(() => appends === 1);
    buffer.push(delta('second'));
    expect(await buffer.settle()).toEqual([]);
    expect(appends).toBe(1);
  });

  it('B1 the newest progress of a tool call stands for those before it, ten times a second', async () => {
    const batches: string[][][] = [];
    const buffer = bufferOf(async (_number, batch) => {
      batches.push(batch);
      return true;
    });
    const startedMs = performance.now();
    let pushed = 0;
    while (performance.now() - startedMs < 450) {
      for (let n = 0; n < 50; n++) buffer.push(progress(n % 2 ? 'a' : 'b', ++pushed));
      buffer.push(delta('.'));
      await sleep(2);
    }
    const tookMs = performance.now() - startedMs;
    batches.push(await buffer.settle());
    const told = batches.flatMap(dataOf).filter((data) => data.tool_call);
    expect(told.length).toBeLessThanOrEqual(2 * (tookMs / 100 + 2));
    expect(told.length).toBeGreaterThanOrEqual(4);
    const last = told.slice(-2).map(({ tool_call }) => tool_call);
    expect(last).toEqual(
      expect.arrayContaining([
        { id: 'a', done: pushed },
        { id: 'b', done: pushed - 1 },
      ]),
    );
  });

  it('E1 the result of a tool call comes after its progress', async () => {
    const batches: string[][][] = [];
    const buffer = bufferOf(async (_number, batch) => {
      batches.push(batch);
      return true;
    });
    buffer.push(progress('a', 1));
    buffer.push(progress('a', 2));
    buffer.push({ type: 'tool_result', tool_call: { id: 'a', result: 3 } });
    batches.push(await buffer.settle());
    expect(batches.flatMap(dataOf).slice(-2)).toEqual([
      { tool_call: { id: 'a', done: 2 } },
      { tool_call: { id: 'a', result: 3 } },
    ]);
  });

  it('E1 the first delta goes at once, what comes within the window goes together', async () => {
    const batches: string[][][] = [];
    const buffer = bufferOf(async (_number, batch) => {
      batches.push(batch);
      return true;
    });
    const startedMs = performance.now();
    for (const text of ['a', 'b']) buffer.push(delta(text));
    await eventually(() => batches.length === 1);
    expect(performance.now() - startedMs).toBeLessThan(40);
    for (const text of ['c', 'd']) {
      buffer.push(delta(text));
      await sleep(5);
    }
    await eventually(() => batches.length === 2);
    expect(batches.map((batch) => textOf([batch]))).toEqual(['ab', 'cd']);
  });

  it('E1 deltas that come within one round of the event loop are left to the commit', async () => {
    const buffer = bufferOf(async () => {
      throw new Error('not called');
    });
    buffer.push(delta('all of it'));
    expect(dataOf(await buffer.settle())).toEqual([{ content: 'all of it' }]);
  });
});

describe('the window of deltas', () => {
  it.each([
    ['is as configured on a quiet node', { busy: 0.3, appendMs: 2 }, 50],
    ['grows while the event loop is busy', { busy: 0.7, appendMs: 2 }, 150],
    ['grows while appends take long', { busy: 0.1, appendMs: 120 }, 150],
    ['is 250 ms at most', { busy: 1, appendMs: 2_000 }, 250],
  ])('%s', (_what, load, ms) => expect(deltaWindowMs(50, load)).toBeCloseTo(ms));

  it('never falls below what is configured', () => {
    expect(deltaWindowMs(1_000, { busy: 1, appendMs: 500 })).toBe(1_000);
  });
});
