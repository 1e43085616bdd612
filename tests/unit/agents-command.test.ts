import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { exitStatus, StartError, sleep } from '@sluice/runtime';
import { eventually } from '@sluice/testkit';
import {
  abortWhen,
  failureOf,
  makeTurn,
  retryable,
  run,
  said,
  terminal,
} from '../support/agents/agents-turn.js';

/** The beginning of every script: `say` writes a line, `on` gets each line; all lines go to a file. */
const PRELUDE = `
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const say = (turn, event) => console.log(JSON.stringify({ turn_id: turn.turn_id, ...event }));
const listen = (on) => createInterface({ input: process.stdin }).on('line', (line) => {
  appendFileSync('lines.txt', line + '\\n');
  on(JSON.parse(line));
});
appendFileSync('starts.txt', process.pid + '\\n');
`;

let dir: string;
let agents: Agent[] = [];
let told: unknown[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-command-'));
});
afterEach(async () => {
  told = [];
  await Promise.all(agents.splice(0).map((agent) => agent.close?.()));
  await Promise.all(
    ['lines.txt', 'starts.txt', 'left.txt'].map((name) => rm(join(dir, name), { force: true })),
  );
});
afterAll(() => rm(dir, { recursive: true }));

async function start(
  script: string,
  given: Record<string, unknown> = {},
  maxReplyBytes = 1_000,
): Promise<Agent> {
  await writeFile(join(dir, 'agent.mjs'), PRELUDE + script);
  const config = agentSchema.parse({
    kind: 'command',
    command: `${process.execPath} agent.mjs`,
    retry: { initial: '20ms' },
    ...given,
  });
  const agent = await makeAgent('mine', config, {
    ...{ baseDir: dir, maxReplyBytes },
    onProcess: (event) => told.push(event),
  });
  agents = [...agents, agent];
  return agent;
}

async function written(name: string): Promise<string[]> {
  const text = await readFile(join(dir, name), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

const ECHO = `listen((turn) => {
  if (turn.type !== 'turn') return;
  say(turn, { type: 'reasoning', content: 'hm' });
  say(turn, { type: 'delta', content: turn.content });
  say(turn, { type: 'final', content: turn.content + ' after ' + turn.history.length, usage: { n: 1 } });
});`;

describe('an agent that is a command', () => {
  it('gets the turn as a line and answers with lines', async () => {
    const agent = await start(ECHO);
    const turn = makeTurn({ attempt: 3, history: [said('user', 'x')] });
    expect(await run(agent, turn)).toEqual({
      events: [
        { type: 'reasoning', content: 'hm' },
        { type: 'delta', content: 'hello there' },
      ],
      reply: { content: 'hello there after 1', usage: { n: 1 } },
    });
    const [line = ''] = await written('lines.txt');
    expect(JSON.parse(line)).toEqual({ type: 'turn', ...turn });
  });

  it('has many turns at once in one process, told apart by turn_id', async () => {
    const agent = await start(`const all = [];
    listen((turn) => {
      all.push(turn);
      if (all.length < 20) return;
      for (const each of all.reverse()) say(each, { type: 'delta', content: each.turn_id });
      for (const each of all) say(each, { type: 'final', content: each.content });
    });`);
    const turns = Array.from({ length: 20 }, (_, n) =>
      makeTurn({ turn_id: `t${n}`, content: `content ${n}` }),
    );
    const ran = await Promise.all(turns.map((turn) => run(agent, turn)));
    expect(ran.map(({ reply }) => reply.content)).toEqual(turns.map(({ content }) => content));
    expect(ran.map(({ events }) => events)).toEqual(
      turns.map(({ turn_id }) => [{ type: 'delta', content: turn_id }]),
    );
    expect(await written('starts.txt')).toHaveLength(1);
  });

  it('T6 gets an abort at once, and its later lines are dropped', async () => {
    const agent = await start(`listen((line) => {
      if (line.type === 'turn' && line.turn_id === 't1') return;
      if (line.type === 'abort') return say(line, { type: 'final', content: 'too late' });
      say(line, { type: 'final', content: 'next' });
    });`);
    const { error, reason, ms } = await abortWhen(
      agent,
      async () => (await written('lines.txt')).length === 1,
    );
    expect(error).toBe(reason);
    expect(ms).toBeLessThan(1_000);
    const next = await run(agent, makeTurn({ turn_id: 't2' }));
    expect(next.reply).toEqual({ content: 'next' });
    const lines = (await written('lines.txt')).map((line) => JSON.parse(line));
    expect(lines[1]).toEqual({ type: 'abort', turn_id: 't1' });
  });

  it.each([
    ['exits', `process.exit(3)`, 'ended with status 3'],
    ['is killed', `process.kill(process.pid, 'SIGKILL')`, 'was ended by SIGKILL'],
  ])(
    'T4 all its turns are cut when it %s, which is told, and go on in another process',
    async (_how, act, why) => {
      const agent = await start(`listen((turn) => {
      if (turn.content === 'fail') return void (${act});
      if (turn.content !== 'wait') say(turn, { type: 'final', content: 'well' });
    });`);
      const beside = failureOf(agent, makeTurn({ turn_id: 't2', content: 'wait' }));
      await eventually(async () => (await written('lines.txt')).length === 1);
      const failure = await failureOf(agent, makeTurn({ content: 'fail' }));
      expect(failure).toMatchObject({ kind: 'died', message: expect.stringContaining(why) });
      expect(await beside).toEqual(failure);
      const [pid] = (await written('starts.txt')).map(Number);
      expect(told).toEqual([{ kind: 'ended', pid, why, turns: 2, restartMs: expect.any(Number) }]);
      // The turn waits for the next process instead of failing.
      expect((await run(agent)).reply).toEqual({ content: 'well' });
      expect(new Set(await written('starts.txt')).size).toBe(2);
    },
  );

  it('T4 a line that names no turn is reported and skipped, also one without an end, and harms no turn', async () => {
    const agent = await start(`listen((turn) => {
      console.log('debug');
      console.log('[1]\\n{"turn_id_of":"nobody"}');
      process.stdout.write('x'.repeat(100_000) + '\\n' + 'y'.repeat(100_000));
      process.stdout.write('\\n');
      say(turn, { type: 'final', content: 'well' });
    });`);
    expect((await run(agent)).reply).toEqual({ content: 'well' });
    expect(await written('starts.txt')).toHaveLength(1);
    const lines = told.map((event) => Object(event));
    expect(lines.map(({ kind }) => kind)).toEqual(Array(5).fill('stray_line'));
    expect(lines.slice(0, 3).map(({ start, chars }) => [start, chars])).toEqual([
      ['debug', 5],
      ['[1]', 3],
      ['{"turn_id_of":"nobody"}', 23],
    ]);
    for (const { start, chars } of lines.slice(3)) {
      expect(start.length).toBeLessThanOrEqual(1_024);
      expect(chars).toBeGreaterThan(70_000);
    }
  });

  it('B1 a final that is too long to be read ends its own turn alone', async () => {
    const agent = await start(`let beside;
    listen((turn) => {
      if (turn.content === 'beside') beside = turn;
      if (turn.content === 'long') say(turn, { type: 'final', content: 'x'.repeat(100_000) });
      if (turn.content !== 'next') return;
      for (const each of [beside, turn]) say(each, { type: 'final', content: each.content });
    });`);
    const beside = run(agent, makeTurn({ turn_id: 't2', content: 'beside' }));
    await eventually(async () => (await written('lines.txt')).length === 1);
    const long = makeTurn({ content: 'long' });
    expect(await failureOf(agent, long)).toEqual(terminal('reply_too_large'));
    const next = await run(agent, makeTurn({ content: 'next' }));
    expect([(await beside).reply.content, next.reply.content]).toEqual(['beside', 'next']);
    expect(await written('starts.txt')).toHaveLength(1);
  });

  it('T4 a turn that runs alone has a process of its own, whose death harms no other', async () => {
    const agent = await start(`listen((turn) => {
      if (turn.content === 'fail') process.exit(1);
      if (turn.content === 'go') process.emit('go');
      else process.once('go', () => say(turn, { type: 'final', content: turn.content }));
    });`);
    const beside = run(agent, makeTurn({ turn_id: 't2', content: 'beside' }));
    await eventually(async () => (await written('lines.txt')).length === 1);
    const failure = await failureOf(agent, makeTurn({ content: 'fail' }), { isAlone: true });
    expect(failure).toMatchObject({ kind: 'died' });
    const [shared, own] = await written('starts.txt');
    expect(told).toMatchObject([{ kind: 'ended', pid: Number(own), turns: 1 }]);
    expect(own).not.toBe(shared);
    const never = new AbortController();
    const go = run(agent, makeTurn({ turn_id: 't3', content: 'go' }), { signal: never.signal });
    expect((await beside).reply.content).toBe('beside');
    never.abort(new Error('enough'));
    await expect(go).rejects.toThrow('enough');
    expect(await written('starts.txt')).toHaveLength(2);
  });

  it('T5 says itself whether a failure passes', async () => {
    const agent = await start(`listen((turn) => {
      const more = turn.content === 'busy' && { retryable: true, retry_after_ms: 7 };
      say(turn, { type: 'error', message: turn.content, ...more });
    });`);
    expect(await failureOf(agent, makeTurn({ content: 'busy' }))).toEqual(retryable('busy', 7));
    expect(await failureOf(agent, makeTurn({ content: 'no' }))).toEqual(terminal('no'));
  });

  it.each([
    ['an event of no known type', `{ type: 'token' }`, 'must be delta'],
    ['a final without content', `{ type: 'final' }`, 'content must be a string'],
    ['a reply over max_reply', `{ type: 'final', content: 'x'.repeat(1_001) }`, 'reply_too_large'],
  ])('%s ends the turn, and the process goes on', async (_what, event, why) => {
    const agent = await start(`listen((turn) => {
      if (turn.type === 'turn') say(turn, turn.content === 'ok' ? { type: 'final', content: '' } : ${event});
    });`);
    const failure = await failureOf(agent);
    expect(failure.kind).toBe('terminal');
    expect(failure.message).toContain(why);
    expect((await run(agent, makeTurn({ turn_id: 't2', content: 'ok' }))).reply.content).toBe('');
    expect(await written('starts.txt')).toHaveLength(1);
  });

  it('T5 an answer later than timeout is retried', async () => {
    const agent = await start('listen(() => {});', { timeout: '50ms' });
    expect(await failureOf(agent)).toEqual(retryable('no reply within 50 ms'));
  });

  it('B1 is not read faster than its events are taken, and none is lost by it', async () => {
    const agent = await start(
      `listen((turn) => {
      if (turn.type !== 'turn') return;
      for (let n = 0; n < 20_000; n++) say(turn, { type: 'reasoning', content: 'thought ' + n });
      say(turn, { type: 'final', content: 'done' });
      setTimeout(() => appendFileSync('left.txt', process.stdout.writableLength + '\\n'), 500);
    });`,
      {},
      64 * 1_024,
    );
    const signal = new AbortController().signal;
    const events = agent.run(makeTurn(), { signal });
    expect((await events.next()).value).toEqual({ type: 'reasoning', content: 'thought 0' });
    // Of 1.6 MB, the part that the process could not write yet is in its own memory, not in ours.
    await eventually(async () => (await written('left.txt')).length > 0);
    const [left] = await written('left.txt');
    expect(Number(left)).toBeGreaterThan(1_000_000);
    for (let n = 1; n < 20_000; n++) {
      expect((await events.next()).value).toEqual({ type: 'reasoning', content: `thought ${n}` });
    }
    expect(await events.next()).toEqual({ done: true, value: { content: 'done' } });
  });

  it('B1 is read again once a turn is over whose events nobody took', async () => {
    const agent = await start(`listen((turn) => {
      if (turn.type !== 'turn') return;
      const n = turn.turn_id === 't1' ? 20_000 : 0;
      for (let i = 0; i < n; i++) say(turn, { type: 'reasoning', content: 'thought' });
      say(turn, { type: 'final', content: turn.turn_id });
    });`);
    const events = agent.run(makeTurn(), { signal: new AbortController().signal });
    await events.next();
    const next = run(agent, makeTurn({ turn_id: 't2' }));
    await sleep(100);
    await events.return({ content: '' });
    expect((await next).reply).toEqual({ content: 't2' });
  });

  it('D7 is stopped with the node, also when it does not heed SIGTERM', async () => {
    const agent = await start(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
    listen((turn) => say(turn, { type: 'final', content: '' }));`);
    await run(agent);
    const [pid] = (await written('starts.txt')).map(Number);
    await agent.close?.();
    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
  });

  it('refuses to start without the program, and says which key names it', async () => {
    const failure = await start('', { command: ['no-such-program', 'a b'] }).catch(
      (e: unknown) => e,
    );
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ status: exitStatus.config });
    expect(String(failure)).toContain('agents.mine.command: cannot start "no-such-program a b"');
  });
});
