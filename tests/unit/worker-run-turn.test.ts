import { describe, expect, it } from '@jest/globals';
import type { Agent } from '@sluice/agents';
import { sleep } from '@sluice/runtime';
import { makeDeltaPace } from '../../apps/gateway/dist/worker/gates/delta-pace.js';
import { runTurn } from '../../apps/gateway/dist/worker/turns/run-turn.js';
import { makeTurn } from '../support/agents/agents-turn.js';

const KIB = 1024;

describe('a turn whose agent does not look at its signal', () => {
  it('T6 L5 is asked for nothing more, and its finally block runs', async () => {
    const stop = new AbortController();
    let steps = 0;
    let gaveBack = false;
    const deaf: Agent = {
      async *run() {
        try {
          for (; steps < 1_000; steps++) {
            await sleep(1);
            if (steps === 5) stop.abort({ kind: 'aborted', reason: 'user' });
            yield { type: 'delta', content: 'x' };
          }
          return { content: 'never read' };
        } finally {
          gaveBack = true;
        }
      },
    };
    const result = await runTurn(deaf, makeTurn(), {
      append: async () => true,
      pace: makeDeltaPace(50),
      timeoutMs: 0,
      stop,
    });
    expect(result).toMatchObject({ kind: 'ended', status: 'aborted', content: 'xxxxx' });
    expect([steps, gaveBack]).toEqual([5, true]);
  });
});

describe('a turn whose agent never waits', () => {
  it('B1 lets other work of the node in between', async () => {
    const agent: Agent = {
      async *run() {
        for (const untilMs = performance.now() + 300; performance.now() < untilMs; )
          yield { type: 'reasoning', content: 'x' };
        return { content: 'done' };
      },
    };
    let rounds = 0;
    const counting = setInterval(() => {
      rounds += 1;
    }, 1);
    const stop = new AbortController();
    const options = { append: async () => true, pace: makeDeltaPace(50), timeoutMs: 0, stop };
    expect(await runTurn(agent, makeTurn(), options)).toMatchObject({ status: 'ok' });
    clearInterval(counting);
    expect(rounds).toBeGreaterThan(5);
  });
});

describe('a turn whose agent is faster than Redis', () => {
  it.each([
    ['reasoning', (text: string) => ({ type: 'reasoning' as const, content: text })],
    ['tool calls', (text: string) => ({ type: 'tool_call' as const, tool_call: { text } })],
  ])('B1 is not asked for more %s while 256 KiB wait', async (_what, makeEvent) => {
    let made = 0;
    let appended = 0;
    let most = 0;
    const agent: Agent = {
      async *run() {
        for (let n = 0; n < 200; n++) {
          made += 16 * KIB;
          most = Math.max(most, made - appended);
          yield makeEvent('x'.repeat(16 * KIB));
        }
        return { content: 'done' };
      },
    };
    const result = await runTurn(agent, makeTurn(), {
      async append(_number, batch) {
        await sleep(5);
        appended += Math.floor(JSON.stringify(batch).length / (16 * KIB)) * 16 * KIB;
        return true;
      },
      pace: makeDeltaPace(50),
      timeoutMs: 0,
      stop: new AbortController(),
    });
    const trailing = result.kind === 'ended' ? JSON.stringify(result.trailing).length : 0;
    expect(result).toMatchObject({ kind: 'ended', status: 'ok', content: 'done' });
    // The batch that is being appended, the one that waits after it, and the event that the agent holds.
    expect(most).toBeLessThanOrEqual((2 * 256 + 2 * 16) * KIB);
    expect(appended + trailing).toBeGreaterThanOrEqual(200 * 16 * KIB);
  });
});

describe('a turn whose stream cannot be appended', () => {
  it('C3 stops its agent and fails with what the store said, once and where it is awaited', async () => {
    const fault = new Error('NOPERM');
    const stop = new AbortController();
    const agent: Agent = {
      async *run(_turn, { signal }) {
        yield { type: 'delta', content: 'x' };
        await sleep(60_000, signal);
        return { content: 'never' };
      },
    };
    const append = async () => {
      throw fault;
    };
    const pace = makeDeltaPace(50);
    const result = runTurn(agent, makeTurn(), { append, pace, timeoutMs: 0, stop });
    await expect(result).rejects.toBe(fault);
    expect(stop.signal.reason).toEqual({ kind: 'append_failed' });
  });
});
