import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, type LogLine, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { post } from '../support/cluster/pausing.js';

describe('a turn that fails', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    const path = fileURLToPath(new URL('../support/agents/failing-agent.mjs', import.meta.url));
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

  it.each([
    ['no JSON', '{"c":"x'],
    ['null', 'null'],
    ['without content', '{"m":{}}'],
  ])(
    'S2 X4 whose message is damaged in Redis (%s) has outcome error, and the session goes on',
    async (how, body) => {
      const session_id = `damaged-${how.replaceAll(' ', '-')}`;
      const client = await cluster.attach(node, { session_id, agent_id: 'failing' });
      await post(node, `sessions/${session_id}/pause`);
      const ids = ['one', 'two', 'three'].map((content) => client.message(content));
      for (const id of ids) await client.waitFor({ status: 'accepted', message_id: id });
      const { inbox } = cluster.sessionKeys(session_id);
      const entry = (await redis.client().lindex(inbox, 1)) ?? '';
      await redis.client().lset(inbox, 1, entry.replace(/["{].*$/, body));
      await post(node, `sessions/${session_id}/resume`);
      const reasons = [];
      for (const id of ids) {
        const { outcome, attempt } = await client.final(id);
        reasons.push([Object(outcome).status, attempt, Object(outcome).reason]);
      }
      const said = ['error', 1, 'no parcel has this number'];
      expect(reasons).toEqual([said, ['error', 1, 'its data in Redis is damaged'], said]);
      const isAbout = ({ where }: LogLine) => String(where).includes(ids[1] ?? '');
      await node.waitForLog(isAbout); // a line may be read later than the frame that was sent after it
      expect(node.logs.filter(isAbout)).toMatchObject([
        { level: 'warn', session: expect.stringContaining(session_id) },
      ]);
      expect(node.logs.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );
});
