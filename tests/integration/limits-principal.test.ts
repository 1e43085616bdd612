import { createSecretKey } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { SignJWT } from 'jose';
import { Cluster } from '../support/cluster/cluster.js';

const tokens = ['alice', 'bob'].map((principal) => ({ token: `${principal}-secret`, principal }));
const as = (principal: string) => ({ token: `${principal}-secret` });
const header = (principal: string) => ({ authorization: `Bearer ${principal}-secret` });

const jwt = { secret: '6f0c2a91e7b84d35a1c9d8e2f4b70a63', audience: 'sluice' };
const signed = (principal: string, secret = jwt.secret) =>
  new SignJWT({ sub: principal, aud: jwt.audience })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('5m')
    .sign(createSecretKey(Buffer.from(secret)));

describe('one principal against all', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, { agents: { echo: { kind: 'echo', stream: false } } });
  });
  afterEach(() => cluster.stop());

  async function start(
    gateway: Record<string, unknown>,
    session: Record<string, unknown> = {},
  ): Promise<void> {
    node = await cluster.start({ gateway: { auth: { tokens }, ...gateway }, session });
  }
  const attach = (principal: string, session_id: string) =>
    cluster.attach(node, { agent_id: 'echo', session_id }, as(principal));
  const ask = async (principal: string, path: string) => {
    const answer = await fetch(`${node.url}/v1/sessions${path}`, { headers: header(principal) });
    return { answer, status: answer.status, body: Object(await answer.json()) };
  };

  it('X5 requests beyond requests_per_second get rate_limited, those of another principal pass', async () => {
    await start({ rate_limit: { requests_per_second: 1, requests_burst: 20 } });
    const client = await attach('alice', 's');
    const asked = await Promise.all(Array.from({ length: 30 }, () => ask('alice', '/s')));
    const passed = asked.filter(({ status }) => status === 200).length;
    expect(passed).toBeGreaterThan(0);
    expect(passed).toBeLessThan(20);
    const refused = asked.find(({ status }) => status === 429);
    expect(refused?.body.error).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      message: expect.stringContaining('gateway.rate_limit.requests_per_second'),
    });
    expect(Number(refused?.answer.headers.get('retry-after'))).toBeGreaterThan(0);
    const isTold = ({ msg }: { msg?: unknown }) => msg === 'a principal is held to a rate limit';
    const line = { level: 'warn', principal: 'alice', limit: 'requests', more: 0 };
    expect(await node.waitForLog(isTold)).toMatchObject(line);
    expect(node.logs.filter(isTold)).toHaveLength(1);
    // More than the tokens that come in meanwhile, also on a slow machine.
    for (let i = 0; i < 15; i += 1) client.send({ type: 'snapshot' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'rate_limited',
      retry_after_ms: expect.any(Number),
    });
    const other = await FrameClient.connect(node.wsUrl, as('alice'));
    const hello = { type: 'hello', agent_id: 'echo', session_id: 's', since: 0 };
    for (let i = 0; i < 15; i += 1) other.send(hello);
    expect(await other.waitFor({ type: 'hello_error' })).toMatchObject({
      code: 'rate_limited',
      retry_after_seconds: expect.any(Number),
    });
    await client.final(client.message('a message has a bucket of its own'));
    await attach('bob', 's');
    expect(await ask('bob', '/s')).toMatchObject({ status: 200 });
  }, 30_000);

  it('B1 the connections of a principal share a limit of frames, and none of them is closed for the others', async () => {
    await start({ rate_limit: { frames_per_second_per_principal: 50 } });
    const alice = (session: string) => attach('alice', session);
    const clients = [await alice('a'), await alice('b'), await alice('c')] as const;
    const other = await attach('bob', 's');
    for (const client of clients) {
      for (let n = 0; n < 40; n += 1) client.send({ type: 'ping' });
      client.send({ type: 'message', content: 'last', message_id: 'last' });
    }
    const refused = await clients[2].waitFor({ type: 'error' });
    expect(refused).toMatchObject({
      code: 'rate_limited',
      message: expect.stringMatching(/principal/),
    });
    await other.final(other.message('unharmed'));
    // After a wait each client is answered again, over the same connections.
    const isHeard = (client: FrameClient) =>
      client.final(client.message('again'), 500).then(
        () => true,
        () => false,
      );
    for (const client of clients) await eventually(() => isHeard(client), 15_000);
    await node.waitForLog(({ limit, principal }) => limit === 'frames' && principal === 'alice');
  });

  it('X5 reads are paid by their bytes: a principal that has read a lot waits for the next read', async () => {
    await start({ rate_limit: { requests_per_second: 2, requests_burst: 10 } });
    const client = await attach('alice', 's');
    for (let i = 0; i < 4; i += 1) await client.final(client.message('x'.repeat(250_000)));
    expect(await ask('alice', '/s')).toMatchObject({ status: 200 }); // a page of 1 MB: 14 tokens of 10
    expect(await ask('alice', '/s')).toMatchObject({ status: 429 });
    await eventually(async () => (await ask('alice', '/s')).status === 200, 25_000);
  }, 60_000);

  it('B1 connections beyond max_connections_per_principal are refused, not those of others', async () => {
    await start({ max_connections_per_principal: 2 });
    const first = await attach('alice', 'a');
    await attach('alice', 'b');
    const third = await FrameClient.connect(node.wsUrl, as('alice'));
    expect(await third.closed).toMatchObject({ code: 4008 });
    const stream = await fetch(`${node.url}/v1/sessions/a/events`, { headers: header('alice') });
    expect(stream.status).toBe(429);
    await attach('bob', 'a');
    await first.close();
    await eventually(async () => {
      const again = await FrameClient.connect(node.wsUrl, as('alice'));
      again.send({ type: 'hello', agent_id: 'echo', session_id: 'a' });
      return (await again.waitFor(({ type }) => type !== 'ping')).type === 'hello_ok';
    });
  });

  it('B1 a connection that says no hello is closed with 4004, one that said it stays', async () => {
    await start({ hello_timeout: '400ms' });
    const greeted = await attach('alice', 's');
    const silent = await FrameClient.connect(node.wsUrl, as('alice'));
    const pinging = setInterval(() => silent.send({ type: 'ping' }), 50);
    expect(await silent.closed).toEqual({ code: 4004, reason: 'hello_timeout' });
    clearInterval(pinging);
    greeted.send({ type: 'leave' });
    await greeted.waitFor({ type: 'left' });
    greeted.send({ type: 'hello', agent_id: 'echo', session_id: 's', since: 0 });
    await greeted.waitFor({ type: 'hello_ok' });
  });

  it('B1 messages of a principal whose sessions hold max_bytes_per_principal get inbox_full', async () => {
    await start({}, { max_bytes_per_principal: '2MiB' });
    const client = await attach('alice', 's');
    const content = 'x'.repeat(200_000);
    const outcomes: unknown[] = [];
    for (let i = 0; i < 30 && !outcomes.includes('inbox_full'); i += 1) {
      const message_id = client.message(content);
      const isAnswer = (frame: { message_id?: string; type?: string; status?: string }) =>
        frame.message_id === message_id && (frame.type === 'error' || frame.status === 'final');
      const { code } = await client.waitFor(isAnswer);
      outcomes.push(code);
    }
    expect(outcomes.at(-1)).toBe('inbox_full');
    expect(outcomes.length).toBeLessThan(15);
    const told = client.frames.find(({ code }) => code === 'inbox_full');
    expect(String(told?.message)).toContain('session.max_bytes_per_principal');
    const other = await attach('bob', 's');
    await other.final(other.message(content));
    await fetch(`${node.url}/v1/sessions/s`, { method: 'DELETE', headers: header('alice') });
    const fresh = await attach('alice', 'fresh');
    await eventually(async () => {
      const message_id = fresh.message('room again');
      const answer = await fresh.waitFor((frame) => frame.message_id === message_id);
      return answer.status === 'accepted';
    });
  }, 30_000);

  it.each([
    [
      'tokens',
      async (principal: string) => `${principal}-secret`,
      async (n: number) => `guess-${n}`,
    ],
    ['signed tokens', signed, (n: number) => signed('alice', `${n}`.repeat(32))],
    ['damaged signatures', signed, async (n: number) => `${await signed('alice')}${n}`],
  ])(
    'X5 guesses over HTTP get 429, the right one too; whoever was let in before goes on: %s',
    async (...how) => {
      const [, credential, guess] = how;
      const trusting = { trusted_proxies: ['127.0.0.0/8'], auth: { tokens, jwt } };
      await start({ ...trusting, rate_limit: { unauthenticated_per_minute: 6 } });
      const [alice, bob] = await Promise.all(['alice', 'bob'].map((one) => credential(one)));
      const from = (token = '', address = '203.0.113.7') =>
        fetch(`${node.url}/v1/sessions`, {
          headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': address },
        });
      expect((await from(alice)).status).toBe(200);
      const guesses: number[] = [];
      for (let n = 0; n < 12; n += 1) guesses.push((await from(await guess(n))).status);
      expect(guesses.filter((status) => status === 401).length).toBeLessThanOrEqual(8);
      expect(guesses.at(-1)).toBe(429);
      expect((await from(bob)).status).toBe(429);
      expect((await from(alice)).status).toBe(200);
      expect((await from(bob, '203.0.113.8')).status).toBe(200);
      // Upgrades draw from the same bucket.
      const upgrade = await FrameClient.connect(node.wsUrl, {
        token: await guess(99),
        headers: { 'x-forwarded-for': '203.0.113.7' },
      });
      expect(await upgrade.waitFor({ type: 'hello_error' })).toMatchObject({
        code: 'rate_limited',
      });
      expect((await upgrade.closed).code).toBe(4029);
      expect((await fetch(`${node.url}/live`)).status).toBe(200);
    },
  );
});
