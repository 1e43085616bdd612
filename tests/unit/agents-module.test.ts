import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { exitStatus, StartError, sleep } from '@sluice/runtime';
import {
  abortWhen,
  failureOf,
  makeTurn,
  retryable,
  run,
  said,
} from '../support/agents/agents-turn.js';

let dir: string;
let files = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-module-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function load(source: string, given: Record<string, unknown> = {}): Promise<Agent> {
  const name = `agent-${files++}.mjs`;
  await writeFile(join(dir, name), source);
  const config = agentSchema.parse({ kind: 'module', path: `./${name}`, ...given });
  return makeAgent('mine', config, { baseDir: dir });
}

describe('module agent', () => {
  it('runs the default export with the turn', async () => {
    const agent = await load(`export default {
      async *run(turn, { signal }) {
        yield { type: 'reasoning', content: String(signal.aborted) };
        yield { type: 'delta', content: turn.content };
        const content = turn.content + ' after ' + turn.history.length;
        return { content, usage: { attempt: turn.attempt } };
      },
    };`);
    const turn = makeTurn({ attempt: 3, history: [said('user', 'x')] });
    expect(await run(agent, turn)).toEqual({
      events: [
        { type: 'reasoning', content: 'false' },
        { type: 'delta', content: 'hello there' },
      ],
      reply: { content: 'hello there after 1', usage: { attempt: 3 } },
    });
  });

  it('takes settings from the module, and the configuration over them', async () => {
    const source = `export default {
      usesHistory: false,
      retry: { initialMs: 7 },
      async *run() { return { content: '' }; },
      async close() { this.closed = true; globalThis.closedBySluiceTest = this; },
    };`;
    const agent = await load(source);
    expect(agent).toMatchObject({ usesHistory: false, retry: { initialMs: 7 } });
    const configured = await load(source, { retry: { initial: '1s' } });
    expect(configured.retry).toEqual({
      ...{ forMs: 60_000, initialMs: 1_000, factor: 2, maxMs: 10_000 },
    });
  });

  it('T4 a turn that runs alone has a process of its own: its death is not that of the node', async () => {
    const agent = await load(`export default {
      usesHistory: true,
      async *run({ content, history }) {
        if (content === 'die') process.exit(7);
        if (content === 'throw') throw new TypeError('boom');
        if (content === 'busy') throw Object.assign(new Error('busy'), { name: 'RetryableError', retryAfterMs: 5 });
        console.log('printed');
        yield { type: 'delta', content: history[0].content };
        return { content: String(process.pid) };
      },
    };`);
    const alone = { isAlone: true };
    const turn = makeTurn({ history: [said('user', 'x')] });
    const { events, reply } = await run(agent, turn, alone);
    expect(events).toEqual([{ type: 'delta', content: 'x' }]);
    expect(reply.content).not.toBe((await run(agent, turn)).reply.content);
    const failing = (content: string) => failureOf(agent, makeTurn({ content }), alone);
    expect(await failing('die')).toMatchObject({
      kind: 'died',
      message: "the agent's process ended with status 7",
    });
    expect(await failing('throw')).toMatchObject({ kind: 'other', message: 'TypeError: boom' });
    expect(await failing('busy')).toEqual(retryable('busy', 5));
  });

  it.each([
    ['T5: an error of its own is passed on', `throw new TypeError('boom')`, 'boom'],
    ['an event of no known type', `yield { type: 'token' }`, 'must be delta'],
    ['an event without content', `yield { type: 'delta' }`, 'content must be a string'],
    ['no reply', `return`, 'what run() returned'],
    ['a reply without content', `return { text: 'x' }`, 'content must be a string'],
  ])('fails the turn: %s', async (_what, body, message) => {
    const failure = await failureOf(await load(`export default { async *run() { ${body} } };`));
    expect(failure.kind).not.toBe('retryable');
    expect(failure.message).toContain(message);
  });

  it('T5: its own copy of RetryableError is as good as ours', async () => {
    const failure = await failureOf(
      await load(`class RetryableError extends Error { name = 'RetryableError'; retryAfterMs = 5; }
      export default { async *run() { throw new RetryableError('busy'); } };`),
    );
    expect(failure).toEqual(retryable('busy', 5));
  });

  it('says what to write when run() is no generator, and survives its rejection', async () => {
    const failure = await failureOf(
      await load(`export default { async run() { throw new Error('lost'); } };`),
    );
    expect(failure.message).toContain('run() must be an async generator');
    await sleep(20);
  });

  it('T6: gets the abort through its signal', async () => {
    const agent = await load(`import { setTimeout } from 'node:timers/promises';
    export default {
      async *run(_turn, { signal }) {
        await setTimeout(20_000, undefined, { signal }).catch(() => {});
        signal.throwIfAborted();
        return { content: '' };
      },
    };`);
    const { error, reason, ms } = await abortWhen(agent, () => true);
    expect(error).toBe(reason);
    expect(ms).toBeLessThan(1_000);
  });

  it.each([
    ['no default export', `export const run = 1;`, 'has no run()'],
    ['a default export without run', `export default { go() {} };`, 'has no run()'],
    ['a syntax error', `export default {`, 'cannot load'],
    [
      'an import of Sluice',
      `import { defineAgent } from '@sluice/agents'; export default defineAgent({});`,
      'it needs no import',
    ],
    ['an error while loading', `throw new Error('no database');`, 'no database'],
  ])('refuses to start with %s', async (_what, source, message) => {
    const failure = await load(source).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ status: exitStatus.config });
    expect(String(failure)).toContain('agents.mine.path');
    expect(String(failure)).toContain(message);
  });

  it('refuses to start without the file', async () => {
    const config = agentSchema.parse({ kind: 'module', path: './none.mjs' });
    const failure = await makeAgent('mine', config, { baseDir: dir }).catch((e: unknown) => e);
    expect(String(failure)).toContain(`agents.mine.path: cannot load ${join(dir, 'none.mjs')}`);
  });
});
