import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { within } from '@sluice/runtime';
import { sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  freePort,
  type GatewayProcess,
  httpBehaviours,
  startChild,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const bin = resolve('bin/sluice');

/** Every secret of the test has this word in it. */
const TOKEN = 'swordfish-token-0123456789';
const WRONG = 'swordfish-wrong-0123456789';
const HOOK = 'swordfish-hook-0123456789';
const CONTENT = 'walrus-content';

describe('logs', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, { gateway: { drain_timeout: '1s', close_spread: '0s' } });
  });
  afterAll(() => cluster.stop());

  const start = (level?: string) =>
    cluster.start({
      gateway: { auth: { tokens: [{ token: TOKEN, principal: 'alice' }] } },
      log: level === undefined ? {} : { level },
      agents: {
        slow: {
          kind: 'http',
          url: cluster.agent.url,
          secret: HOOK,
          retry: { initial: '10ms', for: '100ms' },
        },
      },
    });

  async function refusals(node: GatewayProcess) {
    const wrong = await FrameClient.connect(`${node.wsUrl}?token=${WRONG}`);
    await wrong.closed;
    await fetch(`${node.url}/info?token=${WRONG}`);
    await fetch(`${node.url}/info`, { headers: { authorization: `Bearer ${WRONG}` } });
    const url = `${node.url}/v1/sessions/${CONTENT}/messages?token=${TOKEN}`;
    await fetch(url, { method: 'POST', body: `{"content": ${CONTENT}` });
    await fetch(url, { method: 'POST', body: JSON.stringify({ content: CONTENT }) });
  }

  async function outcomes(node: GatewayProcess, session: string) {
    const client = await cluster.attach(node, { session_id: session }, { token: TOKEN });
    const behaviours = [
      httpBehaviours.stream({ format: 'ndjson', deltas: [CONTENT, ' and more'] }),
      httpBehaviours.fail({ status: 400 }),
      httpBehaviours.fail({ status: 500, times: 1 }, httpBehaviours.delayMs(0)),
      httpBehaviours.breakStream({ format: 'sse', deltas: [CONTENT] }),
    ];
    for (const behaviour of behaviours) {
      cluster.agent.behave(behaviour);
      await client.final(client.message(CONTENT, { metadata: { note: CONTENT } }));
    }
    cluster.agent.behave((_turn, { respond }) => respond.raw('application/json', CONTENT));
    await client.final(client.message({ text: CONTENT }));
    client.sendRaw(`{"content": ${CONTENT}`);
    client.sendRaw(Buffer.from(CONTENT));
    client.send({ type: CONTENT, content: CONTENT });
    await client.collect(3, { type: 'error' });
    return client;
  }

  /** Errors for bugs and broken data are logged whole: they must not have the command in them. */
  async function brokenData(node: GatewayProcess, session: string) {
    const client = await cluster.attach(node, { session_id: session }, { token: TOKEN });
    const { inbox } = cluster.keys.session(sessionKeyId('alice', session));
    await redis.client().set(inbox, 'no list');
    client.message(CONTENT, { message_id: 'bad' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'internal',
      message_id: 'bad',
    });
    await node.waitForLog(({ level }) => level === 'error');
    await redis.client().del(inbox);
  }

  async function conversation(node: GatewayProcess, session: string): Promise<string> {
    await refusals(node);
    const client = await outcomes(node, session);
    await brokenData(node, `${session}-broken`);
    cluster.agent.behave(httpBehaviours.hang());
    client.message(CONTENT, { message_id: 'cut' });
    await eventually(async () => (await cluster.inbox(session, 'alice')).includes('cut'));
    expect((await node.stop()).code).toBe(0);
    return node.logs.map((line) => JSON.stringify(line)).join('\n');
  }

  it('X6 hold no credentials and no contents at the default level', async () => {
    const output = await conversation(await start(), 'quiet');
    expect(output).toContain('"msg":"drained"');
    expect(output).not.toMatch(/swordfish/);
    expect(output).not.toMatch(/walrus/);
  });

  it('X6 hold no credentials at any level', async () => {
    const output = await conversation(await start('trace'), 'chatty');
    expect(output).toContain('"msg":"turn ended"');
    expect(output).not.toMatch(/swordfish/);
  });

  it('X6 hold no password of Redis, accepted or not', async () => {
    const locked = await startRedis();
    await locked.client().config('SET', 'requirepass', 'swordfish-redis');
    const url = (password: string) => `redis://:${password}@127.0.0.1:${locked.port}`;
    const config = { log: { level: 'trace' } };
    const node = await startGateway({ redisUrl: url('swordfish-redis'), config });
    await node.stop();
    expect(JSON.stringify(node.logs)).not.toMatch(/swordfish/);
    const unusable = [url('swordfish-wrong'), `redis://:swordfish@127.0.0.1:${await freePort()}`];
    const failures = unusable.map((redisUrl) => startGateway({ redisUrl, config }).catch(String));
    for (const failure of await Promise.all(failures)) {
      expect(failure).toMatch(/did not become ready.*"code":75/);
      expect(failure).not.toMatch(/swordfish/);
    }
  }, 30_000);

  it('C3 a node whose lines cannot be written serves, and ends when it is told to', async () => {
    const port = await freePort();
    const args = [`--gateway.port=${port}`, `--redis.url=${redis.url}`];
    const child = startChild('sh', ['-c', 'exec "$@" > /dev/full', 'sh', bin, 'start', ...args]);
    const ended = once(child, 'close');
    const ready = async () => (await fetch(`http://127.0.0.1:${port}/ready`)).status;
    try {
      await eventually(async () => (await ready().catch(() => 0)) === 200, 15_000);
      child.kill('SIGTERM');
      expect(await within(ended, 10_000)).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 30_000);
});
