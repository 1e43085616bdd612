import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, startRedis } from '@sluice/testkit';
import { Cluster } from './cluster.js';

describe('a turn that fails', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    const path = fileURLToPath(new URL('failing-agent.mjs', import.meta.url));
    node = await cluster.start({ agents: { failing: { kind: 'module', path } } });
  });
  afterAll(() => cluster.stop());

  async function failureOf(content: string) {
    const client = await cluster.attach(node, { agent_id: 'failing' });
    const final = await client.final(client.message(content));
    const told = client.logged().find(({ type }) => type === 'stream_error');
    client.close();
    return { outcome: final.outcome, error: Object(told?.data).error };
  }

  it('X6 by an exception: clients read no word of it, the log has it without the message', async () => {
    const reason = 'the agent failed';
    const content = 'throw about a private matter';
    expect(await failureOf(content)).toEqual({
      outcome: { status: 'error', reason },
      error: reason,
    });
    const line = await node.waitForLog(({ msg }) => msg === 'agent failed');
    expect(line).toMatchObject({
      level: 'warn',
      agent: 'failing',
      attempt: 1,
      turn_id: expect.stringMatching(/^turn_/),
      session: expect.any(String),
      err: { type: 'RangeError', message: 'db://admin:pw@10.0.0.1: [content]' },
    });
    expect(Object(line.err).stack).toContain('failing-agent.mjs');
    expect(JSON.stringify(line)).not.toContain('private');
  });

  it.each([
    ['an error of the port', 'say', 'ask about something else'],
    ['an error event', 'tell', 'no parcel has this number'],
  ])('T5 by what it says itself: clients read %s', async (_what, content, reason) => {
    expect((await failureOf(content)).outcome).toEqual({ status: 'error', reason });
  });
});
