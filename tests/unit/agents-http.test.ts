import { createHmac } from 'node:crypto';
import { mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { exitStatus, type SecretFault, StartError, sleep } from '@sluice/runtime';
import { type HttpAgent, httpBehaviours, startHttpAgent } from '@sluice/testkit';
import { abortWhen, makeTurn, run, said, textOf, until } from '../support/agents/agents-turn.js';

let server: HttpAgent;
let agent: Agent;
let faults: SecretFault[] = [];

async function connect(given: Record<string, unknown> = {}, baseDir = '.'): Promise<Agent> {
  await agent?.close?.();
  const config = agentSchema.parse({ kind: 'http', url: server.url, ...given });
  faults = [];
  agent = await makeAgent('remote', config, {
    baseDir,
    onSecretFault: (fault) => faults.push(fault),
  });
  return agent;
}

beforeEach(async () => {
  server = await startHttpAgent();
  await connect();
});
afterEach(async () => {
  await agent.close?.();
  await server.close();
});

describe('http agent: the turn', () => {
  it('sends the turn as JSON and what identifies it as headers', async () => {
    const history = [said('user', 'before'), said('assistant', 'reply')];
    await run(agent, makeTurn({ history, content: { text: 'hé' }, attempt: 2, fence: 77 }));
    const [recorded] = server.turns;
    expect(JSON.parse(recorded?.body ?? '')).toEqual({
      session_id: 'ses_1',
      principal: 'alice',
      message_id: 'm1',
      turn_id: 't1',
      content: { text: 'hé' },
      metadata: { channel: 'web' },
      attempt: 2,
      fence: 77,
      history,
    });
    expect(recorded?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'abcdefghijkl.ses_1:m1',
      'x-sluice-session': 'ses_1',
      'x-sluice-message': 'm1',
      'x-sluice-attempt': '2',
      'x-sluice-fence': '77',
    });
    expect(recorded?.headers).not.toHaveProperty('x-sluice-signature');
  });

  it('signs the bytes of the body when a secret is set', async () => {
    await connect({ secret: 's3cret' });
    await run(agent, makeTurn({ content: 'grüße' }));
    const [recorded] = server.turns;
    const hmac = createHmac('sha256', 's3cret')
      .update(recorded?.body ?? '')
      .digest('hex');
    expect(recorded?.headers['x-sluice-signature']).toBe(`sha256=${hmac}`);
  });

  it('follows a rotated secret_file without a restart', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-secret-'));
    try {
      await writeFile(join(dir, 'hook'), 'old\n');
      await connect({ secret_file: 'hook' }, dir);
      await run(agent);
      await writeFile(join(dir, 'hook'), 'new\n');
      await utimes(join(dir, 'hook'), 1_000, 2_000);
      await run(agent);
      // Replaced by a link to another file with the same time and size.
      await writeFile(join(dir, 'next'), 'nxt\n');
      await utimes(join(dir, 'next'), 1_000, 2_000);
      await symlink('next', join(dir, 'link'));
      await rename(join(dir, 'link'), join(dir, 'hook'));
      await run(agent);
      expect(faults).toEqual([]);
      // Removed: the last secret stays in use, and the fault is reported once.
      await rm(join(dir, 'hook'));
      await run(agent);
      await run(agent);
      expect(faults).toEqual([
        {
          key: 'agents.remote.secret_file',
          file: join(dir, 'hook'),
          fault: expect.stringContaining('ENOENT'),
        },
      ]);
    } finally {
      await rm(dir, { recursive: true });
    }
    const expected = ['old', 'new', 'nxt', 'nxt', 'nxt'].map((secret, i) => {
      const body = server.turns[i]?.body ?? '';
      return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    });
    expect(server.turns.map(({ headers }) => headers['x-sluice-signature'])).toEqual(expected);
  });

  it('refuses to start with a secret_file that is not there, naming the key', async () => {
    const failure = await connect({ secret_file: 'none' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ status: exitStatus.config });
    expect(String(failure)).toContain('agents.remote.secret_file');
  });

  it('B1: cuts the history to the newest messages that fit', async () => {
    const history = ['first', 'second', 'third'].map((text) => said('user', text));
    const bytes = Buffer.byteLength(JSON.stringify(history.slice(1)));
    for (const limit of [bytes + 1, bytes - 1]) {
      await connect({ history: limit });
      await run(agent, makeTurn({ history }));
    }
    const sent = server.turns.map(({ turn }) => turn.history.map(({ content }) => content));
    expect(sent).toEqual([['second', 'third'], ['third']]);
  });

  it('does not ask for a history of which it may send nothing', async () => {
    expect(agent.usesHistory).toBe(true);
    expect((await connect({ history: 0 })).usesHistory).toBe(false);
  });
});

describe('http agent: the answer', () => {
  it('takes a JSON answer with usage', async () => {
    server.behave((_turn, { respond }) => {
      respond.json({ content: 'done', usage: { tokens: 3 }, more: 1 });
    });
    expect(await run(agent)).toEqual({
      events: [],
      reply: { content: 'done', usage: { tokens: 3 } },
    });
  });

  it.each(['ndjson', 'sse'] as const)('streams deltas as %s', async (format) => {
    server.behave(httpBehaviours.stream({ format, deltas: ['Gü', 'te', ' 🎉'], everyMs: 10 }));
    const { events, reply } = await run(agent);
    expect(events).toHaveLength(3);
    expect(textOf(events)).toBe('Güte 🎉');
    expect(reply).toEqual({ content: 'Güte 🎉' });
  });

  it.each(['ndjson', 'sse'] as const)('passes every type of event on from %s', async (format) => {
    const events = [
      { type: 'reasoning', content: 'hm' },
      { type: 'tool_call', tool_call: { name: 'find' } },
      { type: 'tool_progress', tool_call: { percent: 50 } },
      { type: 'tool_result', tool_call: { result: [1] } },
    ];
    server.behave((_turn, { respond }) => {
      const writer = respond.stream(format);
      for (const event of events) writer.send(event);
      writer.final('done', { tokens: 3 });
    });
    const reply = { content: 'done', usage: { tokens: 3 } };
    expect(await run(agent)).toEqual({ events, reply });
  });

  it('puts characters and lines together that arrive in pieces', async () => {
    const bytes = Buffer.from(
      '{"type":"delta","content":"ü🎉"}\r\n\n{"type":"final","content":"ü🎉"}',
    );
    server.behave(async (_turn, { respond }) => {
      const writer = respond.stream('ndjson');
      for (const byte of bytes) {
        writer.raw(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      writer.end();
    });
    const { events, reply } = await run(agent);
    expect(textOf(events)).toBe('ü🎉');
    expect(reply).toEqual({ content: 'ü🎉' });
  });

  it('ends with the final, whatever the server still has to say', async () => {
    server.behave(async (turn, context) => {
      const writer = context.respond.stream('sse');
      writer.send({ type: 'final', content: 'done' });
      await httpBehaviours.hang()(turn, context);
    });
    const startedAt = performance.now();
    expect((await run(agent)).reply).toEqual({ content: 'done' });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('uses its connection again after a whole answer', async () => {
    const ports = new Set<string>();
    server.behave(async (_turn, { peer, respond }) => {
      ports.add(peer);
      const writer = respond.stream('ndjson');
      writer.send({ type: 'final', content: 'done' });
      await sleep(20);
      writer.end();
    });
    for (let i = 0; i < 4; i++) {
      await run(agent);
      await until(() => server.turns[i]?.endedAt !== null);
      await sleep(10);
    }
    expect(ports.size).toBe(1);
  });
});

describe('http agent: abort', () => {
  it.each([
    ['waiting for the answer', httpBehaviours.hang()],
    ['streaming', httpBehaviours.stream({ format: 'sse', deltas: ['a', 'b'], everyMs: 5_000 })],
  ])('T6: abort closes the connection at once while it is %s', async (_what, behaviour) => {
    server.behave(behaviour);
    const { error, reason, ms } = await abortWhen(agent, () => server.turns.length === 1);
    expect(error).toBe(reason);
    expect(ms).toBeLessThan(1_000);
    await until(() => server.turns[0]?.endedAt !== null);
    expect(server.turns[0]?.closedByPeer).toBe(true);
  });

  it('T6: a turn aborted before it began never reaches the agent', async () => {
    const reason = new Error('too late');
    await expect(run(agent, makeTurn(), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(server.turns).toHaveLength(0);
  });

  it('T6: a reader that goes away in mid-stream closes the connection', async () => {
    server.behave(httpBehaviours.stream({ format: 'ndjson', deltas: ['a', 'b'], everyMs: 50 }));
    for await (const event of agent.run(makeTurn(), { signal: new AbortController().signal })) {
      expect(event).toEqual({ type: 'delta', content: 'a' });
      break;
    }
    await until(() => server.turns[0]?.endedAt !== null);
    expect(server.turns[0]?.closedByPeer).toBe(true);
  });
});
