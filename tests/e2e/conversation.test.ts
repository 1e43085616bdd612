import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  type HttpAgent,
  httpBehaviours,
  startGateway,
  startHttpAgent,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';

const bin = fileURLToPath(new URL('../../bin/sluice', import.meta.url));

/** Runs `sluice chat` with these lines on a pipe; returns its output. */
async function chat(args: readonly string[], lines: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [bin, 'chat', ...args], { timeout: 15_000 });
  child.stdin.end(`${lines.join('\n')}\n`);
  const [output] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return output;
}

describe('a conversation', () => {
  let redis: TestRedis;
  let agent: HttpAgent;
  let node: GatewayProcess;
  const start = () =>
    startGateway({
      redisUrl: redis.url,
      config: { lease: { ttl: '2s' }, agents: { demo: { kind: 'http', url: agent.url } } },
    });
  beforeAll(async () => {
    redis = await startRedis();
    agent = await startHttpAgent();
    node = await start();
  });
  afterAll(async () => {
    await node.kill();
    await agent.close();
  });

  const attach = async (fields: object) => {
    const client = await FrameClient.connect(node.wsUrl);
    const hello = await client.hello({ agent_id: 'demo', session_id: 'talk', ...fields });
    return { client, hello };
  };

  it('C1 C2 survives kill -9 of its only gateway, and goes on without a client', async () => {
    const { client, hello } = await attach({ since: 0 });
    await client.final(client.message('first', { message_id: 'm1' }));
    agent.behave(httpBehaviours.hang());
    for (const id of ['m2', 'm3', 'm4']) client.message(`text of ${id}`, { message_id: id });
    await client.waitFor({ status: 'accepted', message_id: 'm4' });
    await eventually(() => agent.turns.length === 2);
    const since = client.logged().at(-1)?.cursor ?? 0;

    await node.kill();
    agent.behave(httpBehaviours.delayMs(200));
    const restartedAt = performance.now();
    node = await start();
    // Nobody is connected: the lease expires, and the sweep finds the session.
    await eventually(() => agent.turns.length === 5, 10_000);
    expect(agent.turns.slice(2).map(({ turn }) => [turn.message_id, turn.attempt])).toEqual([
      ['m2', 2],
      ['m3', 1],
      ['m4', 1],
    ]);
    const took = Number(agent.turns[2]?.startedAt.monotonicMs) - restartedAt;
    expect(took).toBeLessThan(2_000 + 2_000 + 1_500);
    expect(agent.turns[4]?.turn.history.map(({ content }) => content)).toEqual([
      ...['first', 'echo: first', 'text of m2', 'echo: text of m2'],
      ...['text of m3', 'echo: text of m3'],
    ]);

    const again = await attach({ since, epoch: hello.epoch });
    expect(again.hello).toMatchObject({ resumed: true, resync_required: false });
    await again.client.final('m4');
    expect(gaps(again.client.logged(), since)).toEqual([]);
    const finals = again.client.logged().filter(({ status }) => status === 'final');
    expect(finals.map(({ message_id }) => message_id)).toEqual(['m2', 'm3', 'm4']);
    const response = await fetch(`${node.url}/v1/sessions/talk`);
    expect(await response.json()).toMatchObject({ pending_inbox: [], is_executing: false });
  }, 30_000);

  it('is the same one from the terminal', async () => {
    const output = await chat(['--url', node.url, '--session', 'talk'], ['from the terminal']);
    expect(output).toContain('echo: from the terminal');
    const last = agent.turns.at(-1)?.turn;
    expect(last?.content).toBe('from the terminal');
    expect(last?.history).toHaveLength(8);
  });
});
