import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  startGateway,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { sessionRead } from '../../packages/store/dist/script/scripts.js';
import { matchScript } from '../../packages/testkit/dist/proxy/tcp-proxy.js';

const keys = makeKeys('sluice', 2);
const keysOf = (sessionId: string) => keys.session(sessionKeyId('local', sessionId));
const channelOf = (sessionId: string) => keys.channel(sessionKeyId('local', sessionId));

describe('a feed whose Redis hands it something else', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let node: GatewayProcess;
  const damaged = () => node.logs.filter(({ msg }) => /damaged or newer/.test(String(msg)));

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    proxy = await startTcpProxy(redis.port);
    node = await startGateway({
      redisUrl: proxy.url,
      config: { redis: { partitions: 2 }, agents: { echo: { kind: 'echo' } } },
    });
  });
  afterEach(async () => expect((await fetch(`${node.url}/live`)).status).toBe(200));
  afterAll(() => node.kill());

  async function attach(session_id: string, more: Record<string, unknown> = { since: 0 }) {
    const socket = await FrameClient.connect(node.wsUrl);
    const hello = await socket.hello({ agent_id: 'echo', session_id, ...more });
    return { socket, hello };
  }

  it('E4 a resync whose read fails is made again: the connection is not left deaf', async () => {
    const first = await attach('resync');
    await first.socket.final(first.socket.message('one'));
    const cut = proxy.cutReply(matchScript(sessionRead.source), 3);
    const { socket, hello } = await attach('resync', { since: 1, epoch: '17' });
    expect(hello.resync_required).toBe(true);
    await cut.done;
    await socket.waitFor({ type: 'snapshot' });
    await socket.final(socket.message('two'));
    expect(socket.frames.filter(({ type }) => type === 'error')).toEqual([]);
  });

  it('E2 X4 a malformed publication is repaired from the log', async () => {
    const { socket } = await attach('malformed');
    await socket.final(socket.message('before'));
    const client = redis.client();
    for (const text of ['garbage', '', '1 2', '1 2 3 {', '1 x 3 []', '1 2 3 {"t":"f"}', '9 9 9 []'])
      expect(await client.publish(channelOf('malformed'), text)).toBe(1);
    await socket.final(socket.message('after'));
    expect(gaps(socket.logged(), 0)).toEqual([]);
    await eventually(() => damaged().length === 1);
  });

  it('E1 an event of a newer release is stepped over, and what follows keeps its seq', async () => {
    const { socket } = await attach('newer');
    await socket.final(socket.message('before'));
    const client = redis.client();
    const { state, events } = keysOf('newer');
    const [epoch = '', head] = await client.hmget(state, 'epoch', 'cursor');
    const fields = ['t', 'Z', 'q', 'what is to come'];
    const seqs = [Number(head) + 1, Number(head) + 2];
    await client.hset(state, 'cursor', seqs[1] ?? 0);
    for (const seq of seqs) {
      await client.xadd(events, `${seq}-0`, 'ts', 1, 'b', 0, ...fields);
      await client.publish(channelOf('newer'), `${epoch} ${seq} 1 ${JSON.stringify(fields)}`);
    }
    const final = await socket.final(socket.message('after'));
    const accepted = socket.logged().find(({ seq }) => seq === Number(head) + 3);
    expect(accepted).toMatchObject({ status: 'accepted', skipped: 2 });
    expect(final.seq).toBe(socket.logged().at(-1)?.seq);
    const { socket: again } = await attach('newer');
    await again.waitFor({ type: 'replay', seq: Number(final.seq) });
  });

  it('E2 a log under a lower epoch is another log, and is read without spinning', async () => {
    const client = redis.client();
    const lower = async (sessionId: string) => {
      const { state } = keysOf(sessionId);
      const epoch = BigInt((await client.hget(state, 'epoch')) ?? 0) - 90_000_000n;
      await client.hset(state, { epoch: String(epoch) });
      return String(epoch);
    };
    // A live reader learns of it only by the next event.
    const { socket: alone } = await attach('alone');
    await alone.final(alone.message('before'));
    await lower('alone');
    alone.message('after');
    await alone.waitFor({ type: 'snapshot' });
    const { socket } = await attach('lower');
    await socket.final(socket.message('before'));
    const epoch = await lower('lower');
    const second = await attach('lower', { since: 0, epoch });
    const sent = () => [...proxy.commands.values()].reduce((sum, count) => sum + count, 0);
    await second.socket.final(second.socket.message('after'));
    await socket.waitFor({ type: 'snapshot' });
    await eventually(() => socket.frames.length > 0);
    await socket.final(socket.message('and live'));
    const before = sent();
    await new Promise((resolve) => setTimeout(resolve, 500)); // a loop would send thousands meanwhile
    expect(sent() - before).toBeLessThan(100);
  });

  it('X4 a log that cannot be read closes its readers and no others', async () => {
    const other = await attach('other');
    const { socket } = await attach('wrong');
    await socket.final(socket.message('before'));
    const client = redis.client();
    const { events } = keysOf('wrong');
    await client.del(events);
    await client.set(events, 'a string');
    await client.publish(channelOf('wrong'), 'look');
    await socket.waitFor({ type: 'error', code: 'internal' });
    expect((await socket.closed).code).toBe(1012);
    await eventually(() => damaged().some(({ err }) => /WRONGTYPE/.test(JSON.stringify(err))));
    await other.socket.final(other.socket.message('still'));
    // A client that comes back reads why, and the gateway's log names the key.
    const again = await FrameClient.connect(node.wsUrl);
    again.send({ type: 'hello', agent_id: 'echo', session_id: 'wrong', since: 0 });
    await again.waitFor({ type: 'error', code: 'internal' });
    await eventually(() => JSON.stringify(node.logs).includes(`${events} holds a string`));
  });

  it('X4 stored data that cannot be read is left out, and nothing else with it', async () => {
    const { socket } = await attach('stored');
    await socket.final(socket.message('before'));
    const client = redis.client();
    const { state, messages } = keysOf('stored');
    await client.hset(state, 'metadata', 'no json');
    await client.rpush(messages, 'garbage', 'u m 1 0 enqueue {', 'a m 1 t ok null');
    await client.hset(keys.nodes, { odd: 'garbage', newer: `${Date.now()} worker no json` });
    const read = async (path: string) => {
      const response = await fetch(`${node.url}${path}`);
      expect({ path, status: response.status }).toEqual({ path, status: 200 });
      return JSON.stringify(await response.json());
    };
    expect(await read('/v1/sessions/stored')).toContain('"before"');
    expect(await read('/v1/sessions')).toContain('"stored"');
    expect(await read('/v1/nodes')).toContain(node.nodeId);
    const { socket: again, hello } = await attach('stored', { since: 0, epoch: '17' });
    expect(hello.resync_required).toBe(true);
    await again.final(again.message('after'));
  });
});
