import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const TURNS = 30;

describe('the lines of a log', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { drain_timeout: '1s', close_spread: '0s' },
    });
  });
  afterAll(() => cluster.stop());

  async function converse(level: string) {
    const node = await cluster.start({ log: { level }, lease: { linger: '200ms' } });
    const client = await cluster.attach(node, { session_id: level });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    for (let n = 0; n < TURNS; n++) await client.final(client.message('a message'));
    cluster.agent.behave(httpBehaviours.fail({ status: 400 }, httpBehaviours.delayMs(0)));
    await client.final(client.message('one that fails'));
    client.message('');
    await client.waitFor({ type: 'error' });
    await client.close();
    return node;
  }

  it('at info a turn that fails has one, other turns and connections none, ten seconds one', async () => {
    const node = await converse('info');
    const summary = await node.waitForLog(({ msg }) => msg === 'summary', 15_000);
    const from = node.logs.findIndex(({ msg }) => msg === 'ready') + 1;
    const [failed, ...others] = node.logs.slice(from);
    expect(failed).toMatchObject({ level: 'warn', msg: 'agent failed', agent: 'slow' });
    expect(others).toEqual([summary]);
    expect(summary).toMatchObject({
      ...{ level: 'info', connections: 0, streams: 0, executing: 0, lingering: 0 },
      ...{ messages: TURNS + 1, refused: 1, turns: TURNS + 1, failed: 1 },
      ...{ hand_overs: 0, takeovers: 0 },
    });
    await node.waitForLog((line) => line.msg === 'summary' && line.messages === 0, 15_000);
    await node.kill();
  }, 60_000);

  it('at debug a turn names its session, itself and the fence, a connection its principal', async () => {
    const node = await converse('debug');
    const ended = () => node.logs.filter(({ msg }) => msg === 'turn ended');
    await eventually(() => ended().length === TURNS + 1);
    expect(ended()[0]).toMatchObject({
      ...{ session_id: 'debug', attempt: 1, outcome: 'ok' },
      ...{ turn_id: expect.stringMatching(/^turn_/), fence: expect.any(Number) },
    });
    const opened = node.logs.find(({ msg }) => msg === 'connection opened');
    expect(opened).toMatchObject({ principal: 'local', address: '127.0.0.1' });
    const isClosed = ({ msg, connection }: Record<string, unknown>) =>
      msg === 'connection closed' && connection === opened?.connection;
    await node.waitForLog(isClosed);
  });
});
