import { expect } from '@jest/globals';
import { type Frame, gaps } from '@sluice/testkit';
import { ask, attach, type ContractCase, isAlive, open, type Target } from '../target.js';

const whole = expect.any(Number);
const finals = (frames: readonly Frame[]) => frames.filter(({ status }) => status === 'final');

const nulls = { message_id: null, mode: null, metadata: null, in_reply_to: null };

const accepted: ContractCase[] = [
  {
    title: 'message: every field of accepted and of final',
    async run(target) {
      const { client, sessionId } = await attach(target);
      const message_id = client.message('hello', { message_id: 'm1' });
      const final = await client.final(message_id);
      expect(await client.waitFor({ status: 'accepted' })).toEqual({
        type: 'response',
        status: 'accepted',
        content: 'Started processing.',
        session_id: sessionId,
        message_id,
        position: 0,
        durability: expect.stringMatching(/^(memory|aof|replica)$/),
        input: { content: 'hello', mode: 'enqueue' },
        cursor: 1,
        seq: 1,
      });
      expect(final).toEqual({
        type: 'response',
        status: 'final',
        content: 'echo: hello',
        outcome: { status: 'ok' },
        session_id: sessionId,
        message_id,
        turn_id: expect.any(String),
        attempt: 1,
        cursor: 2,
        seq: 2,
      });
    },
  },
  {
    title: 'message: text for content, no type, no message_id, an object',
    async run(target) {
      const { client } = await attach(target);
      for (const [frame, reply] of [
        [{ type: 'message', text: 'as text' }, 'echo: as text'],
        [{ content: 'without a type' }, 'echo: without a type'],
        [{ type: 'message', content: { a: 1 } }, 'echo: {"a":1}'],
        [{ type: null, content: null, text: 'null is absent', ...nulls }, 'echo: null is absent'],
      ] as const) {
        const { message_id } = await ask(client, frame, { status: 'accepted' });
        expect(message_id).toMatch(/^[\w.:-]{1,128}$/);
        expect((await client.final(String(message_id))).content).toBe(reply);
      }
    },
  },
  {
    title: 'message: behind others it is queued at its position, and its sender told so',
    async run(target) {
      const { client } = await attach(target, { agent_id: 'slow' });
      const [first, second, third] = ['one', 'two', 'three'].map((text) => client.message(text));
      const positions = async (id = '') =>
        client
          .waitFor({ status: 'accepted', message_id: id })
          .then((it) => [it.position, it.content]);
      expect(await positions(first)).toEqual([0, 'Started processing.']);
      expect(await positions(second)).toEqual([1, 'Message queued.']);
      expect(await positions(third)).toEqual([2, 'Message queued.']);
      expect(await client.waitFor({ type: 'status' })).toMatchObject({
        source: 'slow',
        message: "Thinking... (I've added your new message to the queue to process next).",
      });
      await client.final(third ?? '', 10_000);
      expect(finals(client.frames).map(({ content }) => content)).toEqual(
        ['one', 'two', 'three'].map((text) => `echo: ${text}`),
      );
      expect(gaps(client.logged())).toEqual([]);
    },
  },
  {
    title: 'message: sent again it is acknowledged again and executed once',
    async run(target) {
      const { client } = await attach(target);
      const other = await attach(target, { session_id: String((await client.next()).session_id) });
      const message_id = client.message('once', { message_id: 'm1' });
      const first = await client.final(message_id);
      client.message('once', { message_id });
      const repeat = await client.waitFor({ status: 'accepted', duplicate: true });
      expect(repeat).toMatchObject({ message_id, position: 0 });
      expect(repeat).not.toHaveProperty('cursor');
      const again = await client.waitFor({ status: 'final', duplicate: true });
      expect(again).toMatchObject({ message_id, content: first.content, outcome: first.outcome });
      expect(again).not.toHaveProperty('cursor');
      await other.client.final(message_id);
      await isAlive(other.client);
      expect(finals(other.client.frames)).toHaveLength(1);
      expect(finals(client.logged())).toHaveLength(1);
    },
  },
  {
    title: 'message: both of two connections get the reply, and the same events in the same order',
    async run(target) {
      const { client, sessionId } = await attach(target, { agent_id: 'slow' });
      const other = await attach(target, { agent_id: 'slow', session_id: sessionId });
      const id = client.message('for both of you');
      await Promise.all([client.final(id), other.client.final(id)]);
      const seen = (frames: readonly Frame[]) => frames.map(({ durability, ...rest }) => rest);
      expect(seen(other.client.logged())).toEqual(seen(client.logged()));
    },
  },
  {
    title: 'stream events: every field; what was streamed is what is replied, and comes before it',
    async run(target) {
      const { client, sessionId } = await attach(target, { agent_id: 'slow' });
      const message_id = client.message('word by word');
      const final = await client.final(message_id);
      const { turn_id, cursor = 0 } = final;
      const deltas = client.frames.filter(({ type }) => type === 'token_stream');
      expect(deltas.length).toBeGreaterThan(0);
      for (const delta of deltas) {
        expect(delta).toEqual({
          type: 'token_stream',
          data: {
            content: expect.any(String),
            session_id: sessionId,
            message_id,
            turn_id,
            attempt: 1,
          },
          event_id: expect.stringMatching(new RegExp(`:${delta.cursor}$`)),
          timestamp: whole,
          source: 'slow',
          target: sessionId,
          cursor: whole,
          seq: delta.cursor,
        });
      }
      const text = deltas.map(({ data }) => Object(data).content).join('');
      expect(text).toBe('echo: word by word');
      expect(final.content).toBe(text);
      const end = await client.waitFor({ type: 'stream_end' });
      expect(end.cursor).toBeLessThan(cursor);
    },
  },
];

const bad: readonly Record<string, unknown>[] = [
  { content: '' },
  { content: null },
  { content: 7 },
  { content: ['a'] },
  {},
  { content: 'x', message_id: '' },
  { content: 'x', message_id: 'with space' },
  { content: 'x', message_id: 'x'.repeat(129) },
  { content: 'x', mode: 'whenever' },
  { content: 'x', metadata: 'none' },
  { content: 'x', in_reply_to: 5 },
];

const misuses: ContractCase[] = [
  ...bad.map((fields) => ({
    title: `message: refused, and nothing stored: ${JSON.stringify(fields).slice(0, 60)}`,
    async run(target: Target) {
      const { client } = await attach(target);
      const field = Object.keys(fields).at(-1) ?? 'content';
      const answer = await ask(client, { type: 'message', ...fields });
      expect(answer).toMatchObject({
        type: 'error',
        code: 'invalid_frame',
        field,
        retryable: false,
      });
      await client.final(client.message('go on'));
      expect(client.logged()).toHaveLength(2);
    },
  })),
  {
    title: 'message: an error names the message that it is about',
    async run(target) {
      const { client } = await attach(target);
      const wrong = { type: 'message', message_id: 'm1', content: 7 };
      expect(await ask(client, wrong)).toMatchObject({ code: 'invalid_frame', message_id: 'm1' });
      const unknown = { type: 'shout', message_id: 'm2' };
      expect(await ask(client, unknown)).toMatchObject({ field: 'type', message_id: 'm2' });
    },
  },
  ...[
    { type: 'message', content: 'x', message_id: 'm1' },
    { type: 'abort' },
    { type: 'cancel', message_id: 'm1' },
    { type: 'snapshot' },
    { type: 'leave' },
  ].map((frame) => ({
    title: `${frame.type}: before hello is not_joined`,
    async run(target: Target) {
      const client = await open(target);
      expect(await ask(client, frame)).toMatchObject({
        type: 'error',
        code: 'not_joined',
        retryable: false,
        ...('message_id' in frame ? { message_id: 'm1' } : {}),
      });
    },
  })),
];

export const messages: readonly ContractCase[] = [...accepted, ...misuses];
