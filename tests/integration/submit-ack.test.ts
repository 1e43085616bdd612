import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  matchScript,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { inboxAppend, messageCancel } from '../../packages/store/src/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';

const isAppend = matchScript(inboxAppend.source);
const isCancel = matchScript(messageCancel.source);
/** More than the store tries: every try of the call meets the fault. */
const ALWAYS = 100;

const refusal = (messageId: string) => ({ type: 'error', message_id: messageId });

describe('an acknowledgement', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, { redis: { url: proxy.url } });
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  const acksOf = ({ frames }: FrameClient, messageId: string) =>
    frames.filter((f) => f.status === 'accepted' && f.message_id === messageId);
  const turnsOf = (messageId: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.message_id === messageId).length;

  it('S1 comes only after Redis holds the message', async () => {
    const client = await cluster.attach(node, { session_id: 'held' });
    cluster.agent.behave(httpBehaviours.delayMs(500));
    proxy.blackhole(true);
    client.message('hello', { message_id: 'm0' });
    client.send({ type: 'ping' });
    await client.waitFor({ type: 'pong' });
    expect(await cluster.inbox('held')).toEqual([]);
    expect(acksOf(client, 'm0')).toEqual([]);
    proxy.blackhole(false);
    const ack = await client.waitFor({ status: 'accepted', message_id: 'm0' });
    expect(ack).toMatchObject({ position: 0, durability: 'memory' });
    expect(await cluster.inbox('held')).toEqual(['m0']);
    await client.final('m0');
    cluster.agent.behave(httpBehaviours.delayMs(0));
  });

  it('S1 S3 a message that never reached Redis is refused as retryable, its resend accepted', async () => {
    const client = await cluster.attach(node, { session_id: 'unsent' });
    const cut = proxy.cutRequest(isAppend, ALWAYS);
    client.message('hello', { message_id: 'm1' });
    const error = await client.waitFor(refusal('m1'));
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    cut.cancel();
    expect(cut.hits).toBeGreaterThan(1);
    expect(acksOf(client, 'm1')).toEqual([]);
    expect(await cluster.inbox('unsent')).toEqual([]);

    await eventually(async () => {
      client.message('hello', { message_id: 'm1' });
      await client.waitFor({ status: 'accepted', message_id: 'm1' }, 500);
    });
    expect(acksOf(client, 'm1')[0]).not.toHaveProperty('duplicate');
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'ok' } });
    expect(turnsOf('m1')).toBe(1);
  });

  it('S1 S3 a message whose every reply was lost is not acknowledged as new when sent again', async () => {
    const client = await cluster.attach(node, { session_id: 'unheard' });
    const cut = proxy.cutReply(isAppend, ALWAYS);
    client.message('hello', { message_id: 'm2' });
    expect(await client.waitFor(refusal('m2'))).toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    cut.cancel();
    await client.final('m2');
    await eventually(async () => {
      client.message('hello', { message_id: 'm2' });
      await client.waitFor({ status: 'accepted', message_id: 'm2', duplicate: true }, 500);
    });
    expect(turnsOf('m2')).toBe(1);
    expect(acksOf(client, 'm2').filter((frame) => frame.cursor !== undefined)).toHaveLength(1);
  });

  it('S1 C3 without Redis there is an error at once instead of an acknowledgement', async () => {
    const client = await cluster.attach(node, { session_id: 'away' });
    await proxy.refuse(true);
    proxy.cutAll();
    const sentMs = performance.now();
    client.message('hello', { message_id: 'm3' });
    const error = await client.waitFor(refusal('m3'));
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(performance.now() - sentMs).toBeLessThan(1_500);
    const posted = await fetch(`${node.url}/v1/sessions/away/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'hello', message_id: 'm4' }),
    });
    expect([posted.status, posted.headers.has('retry-after')]).toEqual([503, true]);
    expect(await posted.json()).toMatchObject({ error: { code: 'unavailable', retryable: true } });
    await proxy.refuse(false);

    await eventually(async () => {
      client.message('hello', { message_id: 'm3' });
      await client.waitFor({ status: 'accepted', message_id: 'm3' }, 500);
    });
    await client.final('m3');
    expect([turnsOf('m3'), turnsOf('m4')]).toEqual([1, 0]);
  });

  it('S1 a stopped Redis is an error, not silence, and nothing is acknowledged twice', async () => {
    const client = await cluster.attach(node, { session_id: 'stopped' });
    await redis.pause();
    client.message('hello', { message_id: 'm5' });
    const error = await client.waitFor(refusal('m5')).finally(() => redis.resume());
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    await eventually(async () => {
      client.message('hello', { message_id: 'm5' });
      await client.waitFor({ status: 'accepted', message_id: 'm5' }, 500);
    });
    await client.final('m5');
    expect(turnsOf('m5')).toBe(1);
  });

  it('C2 S3 is the first answer also when the reply was lost, and a client that sends again gets the outcome', async () => {
    const client = await cluster.attach(node, { session_id: 'lost' });
    const cut = proxy.cutReply(isAppend, 2);
    client.message('hello', { message_id: 'twice' });
    const final = await client.final('twice');
    await cut.done;
    client.send({ type: 'ping' });
    await client.waitFor({ type: 'pong' });
    expect(acksOf(client, 'twice')).toMatchObject([
      { position: 0, cursor: 1, seq: 1, durability: 'memory' },
    ]);
    expect(client.frames.some(({ duplicate }) => duplicate === true)).toBe(false);
    client.message('hello', { message_id: 'twice' });
    expect(await client.waitFor({ status: 'final', duplicate: true })).toMatchObject({
      content: final.content,
    });
    expect(turnsOf('twice')).toBe(1);
  });

  it('C2 over HTTP is the first answer also when the reply was lost', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(500));
    const cut = proxy.cutReply(isAppend, 1);
    const body = JSON.stringify({ content: 'hello', agent_id: 'slow', message_id: 'm1' });
    const url = `${node.url}/v1/sessions/posted/messages`;
    const posted = await fetch(url, { method: 'POST', body });
    await cut.done;
    expect(await posted.json()).toMatchObject({ status: 'accepted', cursor: 1, position: 0 });
    const again = await fetch(url, { method: 'POST', body });
    expect(await again.json()).toMatchObject({ status: 'accepted', duplicate: true });
    cluster.agent.behave(httpBehaviours.delayMs(0));
  });

  it('S2 of a cancel goes before the outcome, also when its reply is late', async () => {
    const client = await cluster.attach(node, { session_id: 'cancelled' });
    const other = await cluster.attach(node, { session_id: 'cancelled' });
    cluster.agent.behave(httpBehaviours.delayMs(1_000));
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    await client.waitFor({ status: 'accepted', message_id: 'm2' });
    // Wait for the lease: if the connection were cut while it is being taken, its TTL would have to pass.
    await eventually(() => cluster.agent.turns.at(-1)?.turn.session_id === 'cancelled');
    const cut = proxy.cutReply(isCancel, 2);
    client.send({ type: 'cancel', message_id: 'm2' });
    await Promise.all([client.final('m2'), other.final('m2')]);
    await cut.done;
    await client.waitFor({ type: 'cancelled', message_id: 'm2' });
    const about = client.frames.filter((f) => f.message_id === 'm2');
    expect(about.map(({ type, status }) => status ?? type)).toEqual([
      'accepted',
      'cancelled',
      'final',
    ]);
    await client.final('m1');
    expect(gaps(client.logged())).toEqual([]);
    cluster.agent.behave(httpBehaviours.delayMs(0));
  });
});
