import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedis,
} from '@sluice/testkit';

const MAX_PAYLOAD = 4_096;

/** `levels` arrays within one another, in an object within an object. */
const nested = (levels: number) => {
  const inner = '['.repeat(levels - 2) + ']'.repeat(levels - 2);
  return `{"type":"message","content":{"deep":${inner}}}`;
};
const text = (bytes: number) =>
  JSON.stringify({ content: 'x'.repeat(bytes - '{"content":""}'.length) });

describe('frames that cannot be taken', () => {
  let node: GatewayProcess;
  beforeAll(async () => {
    const { url } = await startRedis();
    node = await startGateway({
      redisUrl: url,
      config: {
        gateway: { max_payload: MAX_PAYLOAD },
        agents: { echo: { kind: 'echo' }, slow: { kind: 'echo', delay_ms: 60_000 } },
      },
    });
  });
  afterAll(() => node.kill());

  const attached = async () => {
    const client = await FrameClient.connect(node.wsUrl);
    await client.hello();
    return client;
  };

  /** The error that a raw frame is answered with; the connection must go on afterwards. */
  async function errorFor(client: FrameClient, raw: string | Buffer) {
    const from = client.frames.length;
    client.sendRaw(raw);
    client.send({ type: 'ping' });
    await eventually(() => client.frames.slice(from).some(({ type }) => type === 'pong'));
    const [answer, pong] = client.frames.slice(from);
    expect(pong?.type).toBe('pong');
    return answer;
  }

  const invalid: [string, string | Buffer, string?][] = [
    ['no JSON', '{"type":'],
    ['an empty frame', ''],
    ['a number', '42'],
    ['null', 'null'],
    ['a string', '"hello"'],
    ['an array', '[{"type":"ping"}]'],
    ['an unknown type', '{"type":"launch"}', 'type'],
    ['a type of the server', '{"type":"hello_ok"}', 'type'],
    ['a type that is inherited', '{"type":"constructor"}', 'type'],
    ['a type that is no string', '{"type":7}', 'type'],
    ['no content', '{"type":"message"}', 'content'],
    ['empty content', '{"content":""}', 'content'],
    ['content that is a number', '{"content":7}', 'content'],
    ['content that is an array', '{"content":["hello"]}', 'content'],
    ['an unknown mode', '{"content":"hello","mode":"later"}', 'mode'],
    ['metadata that is no object', '{"content":"hello","metadata":"tag"}', 'metadata'],
    ['a message id with a blank', '{"content":"hello","message_id":"a b"}', 'message_id'],
    [
      'a message id that is too long',
      `{"content":"hello","message_id":"${'x'.repeat(129)}"}`,
      'message_id',
    ],
    ['cancel without an id', '{"type":"cancel"}', 'message_id'],
    ['a hello without an agent', '{"type":"hello"}', 'agent_id'],
    [
      'a session id with a slash',
      '{"type":"hello","agent_id":"echo","session_id":"a/b"}',
      'session_id',
    ],
    ['a negative cursor', '{"type":"hello","agent_id":"echo","since":-1}', 'since'],
    ['a cursor with a fraction', '{"type":"hello","agent_id":"echo","since":1.5}', 'since'],
    ['a cursor that is no digits', '{"type":"hello","agent_id":"echo","since":"5a"}', 'since'],
    [
      'a session id of two dots',
      '{"type":"hello","agent_id":"echo","session_id":".."}',
      'session_id',
    ],
    ['a number of 64 bits', '{"content":{"order":{"id":9007199254740993}}}', 'content.order.id'],
    ['a number beyond floats', '{"content":{"n":[1e999]}}', 'content.n.0'],
    ['a key __proto__', '{"content":{"a":{"__proto__":1}}}', 'content.a.__proto__'],
    ['a binary frame', Buffer.from('{"type":"ping"}')],
    ['33 levels', nested(33)],
    ['many levels', '['.repeat(MAX_PAYLOAD - 100)],
  ];

  it('X4 S5 are answered with an error each, and the connection stays', async () => {
    const client = await attached();
    for (const [name, raw, field] of invalid) {
      const answer = await errorFor(client, raw);
      expect({ name, ...answer }).toMatchObject({
        name,
        type: 'error',
        code: 'invalid_frame',
        retryable: false,
        message: expect.any(String),
        ...(field === undefined ? {} : { field }),
      });
    }
    // None of it was stored.
    client.send({ type: 'snapshot' });
    const { state } = await client.waitFor({ type: 'snapshot' });
    expect(state).toMatchObject({ messages: [], pending_inbox: [], event_cursor: 0 });
    expect((await client.final(client.message('hello'))).content).toBe('echo: hello');
  });

  it('X4 name the message that they refuse', async () => {
    const client = await attached();
    const answer = await errorFor(client, '{"content":7,"message_id":"m-1"}');
    expect(answer).toMatchObject({ code: 'invalid_frame', message_id: 'm-1' });
  });

  it('E4 S5 take a cursor as a number or as digits, in hello and in join, however large it is', async () => {
    const client = await attached();
    await client.final(client.message('hello'));
    const { session_id } = await client.waitFor({ type: 'hello_ok' });
    for (const since of [0, '0', '2', 9_007_199_254_740_991, '9007199254740991', '9'.repeat(32)]) {
      for (const type of ['hello', 'join']) {
        const other = await FrameClient.connect(node.wsUrl);
        other.send({ type, agent_id: 'echo', session_id, since });
        const entered = await other.waitFor({ type: type === 'join' ? 'joined' : 'hello_ok' });
        const resync_required = Number(since) > 2;
        expect({ since, ...entered }).toMatchObject({ since, session_id, resync_required });
        if (resync_required) await other.waitFor({ type: 'snapshot' });
        await other.close();
      }
    }
    expect(node.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('X4 are taken up to 32 levels and to the last byte of max_payload', async () => {
    const client = await attached();
    client.sendRaw(nested(32));
    await client.collect(1, { status: 'final' });
    client.sendRaw(text(MAX_PAYLOAD));
    await client.collect(2, { status: 'final' });
    expect(client.frames.some(({ type }) => type === 'error')).toBe(false);
  });

  it('X4 beyond max_payload get payload_too_large, beyond 4 times that the socket is cut', async () => {
    const client = await attached();
    for (const bytes of [MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 4 * MAX_PAYLOAD]) {
      expect(await errorFor(client, text(bytes))).toMatchObject({
        type: 'error',
        code: 'payload_too_large',
        retryable: false,
      });
    }
    client.sendRaw(text(4 * MAX_PAYLOAD + 1));
    expect(await client.closed).toMatchObject({ code: 1006 });
    const next = await attached();
    await next.final(next.message('hello'));
  });

  it('X4 ten in a row close the connection, a good one between them begins anew', async () => {
    const client = await attached();
    for (let i = 0; i < 9; i++) client.sendRaw('nonsense');
    client.send({ type: 'ping' });
    await client.waitFor({ type: 'pong' });
    for (let i = 0; i < 9; i++) client.sendRaw(Buffer.from('nonsense'));
    await client.final(client.message('still here'));
    for (let i = 0; i < 10; i++) client.sendRaw(i % 2 ? 'nonsense' : text(MAX_PAYLOAD + 1));
    expect(await client.closed).toEqual({ code: 4028, reason: 'too_many_invalid_frames' });
    expect(client.frames.filter(({ type }) => type === 'error')).toHaveLength(28);
  });

  it('X4 as bodies get 400 and 413', async () => {
    const post = async (body: string) => {
      const url = `${node.url}/v1/sessions/http/messages`;
      const response = await fetch(url, { method: 'POST', body });
      return { status: response.status, body: await response.json() };
    };
    const bad = { status: 400, body: { error: { code: 'invalid_frame', retryable: false } } };
    for (const body of ['{', '7', '[]', '{"content":7}', '{"type":"ping"}', nested(33)]) {
      expect({ sent: body, ...(await post(body)) }).toMatchObject({ sent: body, ...bad });
    }
    expect(await post(text(MAX_PAYLOAD + 1))).toMatchObject({ status: 413 });
    expect((await fetch(`${node.url}/v1/sessions/http`)).status).toBe(404);
  });

  it('B1 of a snapshot fits max_payload: what is pending from its head, then the newest messages', async () => {
    const contents = [1, 2, 3, 4, 5].map((n) => `${n}`.repeat(1_000));
    const snapshotOf = async (agent_id: string) => {
      const client = await FrameClient.connect(node.wsUrl);
      await client.hello({ agent_id });
      const ids = contents.map((content) => client.message(content));
      await client.waitFor({ status: 'accepted', message_id: ids.at(-1) });
      if (agent_id === 'echo') await client.final(String(ids.at(-1)));
      client.send({ type: 'snapshot' });
      const frame = await client.waitFor({ type: 'snapshot' });
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThanOrEqual(MAX_PAYLOAD);
      return Object(frame.state);
    };
    const waiting = await snapshotOf('slow');
    expect(waiting).toMatchObject({ truncated: true, messages: [] });
    expect(waiting.pending_inbox).toEqual(contents.slice(0, 3));
    const told = await snapshotOf('echo');
    expect(told).toMatchObject({ truncated: true, pending_inbox: [] });
    expect(told.messages.map((message: object) => Object(message).content)).toEqual([
      `echo: ${contents[3]}`,
      contents[4],
      `echo: ${contents[4]}`,
    ]);
  });
});
