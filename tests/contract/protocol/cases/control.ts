import { expect } from '@jest/globals';
import { ask, attach, type ContractCase, isAlive, type Target } from '../target.js';

/** A session of `slow` whose first turn runs, with these messages waiting. */
async function busy(target: Target, waiting: readonly Record<string, unknown>[] = []) {
  const attached = await attach(target, { agent_id: 'slow' });
  const { client } = attached;
  client.message('running', { message_id: 'm0' });
  await client.waitFor({ status: 'accepted', message_id: 'm0' });
  for (const [i, fields] of waiting.entries()) {
    const message_id = client.message(`waiting ${i + 1}`, { message_id: `m${i + 1}`, ...fields });
    await client.waitFor({ status: 'accepted', message_id });
  }
  // The snapshot says when the turn has begun.
  for (let tries = 0; tries < 50; tries += 1) {
    const { state } = await ask(client, { type: 'snapshot' }, { type: 'snapshot' });
    if (Object(state).is_executing === true) return attached;
  }
  throw new Error('no turn begins');
}

const aborts: ContractCase[] = [
  ...[
    { type: 'abort' },
    { type: 'message_abort' },
    { type: 'message', content: '/stop' },
    { type: 'message', content: 'stop' },
  ].map((frame) => ({
    title: `abort: ${JSON.stringify(frame)} ends the running turn, and the next one runs`,
    async run(target: Target) {
      const { client, sessionId } = await busy(target, [{}]);
      const isAnswer = ({ type }: { type: string }) =>
        type === 'aborted' || type === 'no_active_turn';
      expect(await ask(client, frame, isAnswer)).toEqual({
        type: 'aborted',
        session_id: sessionId,
        message_id: 'm0',
      });
      expect((await client.final('m0')).outcome).toMatchObject({ status: 'aborted' });
      expect((await client.final('m1')).outcome).toEqual({ status: 'ok' });
    },
  })),
  {
    title: 'abort: with a message_id stops that message alone, also while it waits',
    async run(target) {
      const { client, sessionId: session_id } = await busy(target, [{}, {}]);
      const stop = (message_id: string) => ({ type: 'abort', message_id, abort_id: message_id });
      const about = { session_id, message_id: 'm1', abort_id: 'm1' };
      expect(await ask(client, stop('m1'), { abort_id: 'm1' })).toEqual({
        type: 'aborted',
        ...about,
      });
      expect((await client.final('m1')).outcome).toMatchObject({ status: 'aborted' });
      const unknown = { message_id: 'm9', abort_id: 'm9', reason: 'unknown' };
      const answer = { type: 'no_active_turn', session_id, ...unknown };
      expect(await ask(client, stop('m9'), { abort_id: 'm9' })).toEqual(answer);
      client.send({ type: 'abort' });
      expect((await client.final('m0')).outcome).toMatchObject({ status: 'aborted' });
      expect((await client.final('m2')).outcome).toEqual({ status: 'ok' });
    },
  },
  {
    title: 'abort: without a turn is no_active_turn, however often, and no offence',
    async run(target) {
      const { client, sessionId } = await attach(target);
      for (let i = 0; i < 12; i += 1) {
        const answer = await ask(client, { type: 'message', content: '/stop' });
        expect(answer).toEqual({ type: 'no_active_turn', session_id: sessionId });
      }
    },
  },
];

const modes: ContractCase[] = [
  {
    title: 'mode reject: busy while a turn runs, and nothing is stored',
    async run(target) {
      const { client } = await busy(target);
      const frame = { type: 'message', content: 'x', message_id: 'm9', mode: 'reject' };
      const answer = await ask(client, frame, { message_id: 'm9' });
      expect(answer).toMatchObject({ type: 'error', code: 'busy', retryable: true });
      await client.final('m0');
      expect(client.logged().some(({ message_id }) => message_id === 'm9')).toBe(false);
    },
  },
  {
    title: 'mode interrupt: aborts the running turn and goes before what waits',
    async run(target) {
      const { client } = await busy(target, [{}]);
      client.message('now', { message_id: 'm9', mode: 'interrupt' });
      await client.final('m1', 10_000);
      const order = client.logged().filter(({ status }) => status === 'final');
      expect(order.map(({ message_id }) => message_id)).toEqual(['m0', 'm9', 'm1']);
      expect(order[0]?.outcome).toMatchObject({ status: 'aborted' });
    },
  },
  {
    title: 'mode collect: adjacent waiting messages are one turn, with a final for each',
    async run(target) {
      const { client } = await busy(target, [{ mode: 'collect' }, { mode: 'collect' }]);
      const last = await client.final('m2', 10_000);
      const first = await client.final('m1');
      expect(first).toMatchObject({ merged_into: 'm2', content: '', turn_id: last.turn_id });
      expect(last.content).toMatch(/waiting 1[\s\S]*waiting 2/);
    },
  },
  ...(['enqueue', 'collect', 'interrupt', 'reject'] as const).map((mode) => ({
    title: `mode ${mode}: starts a turn when none runs`,
    async run(target: Target) {
      const { client } = await attach(target);
      const id = client.message('alone', { mode });
      expect(await client.final(id)).toMatchObject({
        content: 'echo: alone',
        outcome: { status: 'ok' },
      });
    },
  })),
];

const others: ContractCase[] = [
  {
    title: 'cancel: of a message that was not started, then its final',
    async run(target) {
      const { client, sessionId } = await busy(target, [{}]);
      const cancel = { type: 'cancel', message_id: 'm1' };
      const answer = await ask(client, cancel, { type: 'cancelled' });
      expect(answer).toMatchObject({ session_id: sessionId });
      const final = await client.final('m1');
      expect(final.outcome).toMatchObject({ status: 'cancelled' });
      const order = client.frames.flatMap(({ type, message_id, status }) =>
        type === 'cancelled' ? [type] : message_id === 'm1' && status === 'final' ? [status] : [],
      );
      expect(order).toEqual(['cancelled', 'final']);
      const running = await ask(client, { type: 'cancel', message_id: 'm0' }, { type: 'error' });
      expect(running).toMatchObject({ code: 'not_pending', message_id: 'm0', retryable: false });
      const unknown = await ask(client, { type: 'cancel', message_id: 'm7' }, { message_id: 'm7' });
      expect(unknown).toMatchObject({ type: 'error', code: 'not_pending' });
      const nothing = await ask(client, { type: 'cancel' }, { code: 'invalid_frame' });
      expect(nothing.field).toBe('message_id');
    },
  },
  {
    title: 'snapshot: the persisted shape, the started head first among what is pending',
    async run(target) {
      const { client, sessionId, hello } = await busy(target, [{}]);
      const { state } = await ask(client, { type: 'snapshot' }, { type: 'snapshot' });
      expect(state).toMatchObject({
        session_id: sessionId,
        agent_id: 'slow',
        created_at: expect.any(Number),
        last_activity: expect.any(Number),
        epoch: hello.epoch,
        metadata: {},
        messages: [],
        event_cursor: 2,
        pending_inbox: ['running', 'waiting 1'],
        is_executing: true,
        holder: expect.any(String),
        fence: expect.any(Number),
        attempt: 1,
      });
      await client.final('m1', 10_000);
      const { state: later } = await ask(client, { type: 'snapshot' }, { type: 'snapshot' });
      expect(later).toMatchObject({
        pending_inbox: [],
        messages: [
          { role: 'user', content: 'running', message_id: 'm0' },
          { role: 'assistant', content: 'echo: running', message_id: 'm0' },
          { role: 'user', content: 'waiting 1', message_id: 'm1' },
          { role: 'assistant', content: 'echo: waiting 1', message_id: 'm1' },
        ],
      });
    },
  },
  {
    title: 'leave: detaches; the session goes on and can be resumed',
    async run(target) {
      const { client, sessionId } = await busy(target);
      const left = await ask(client, { type: 'leave' }, { type: 'left' });
      expect(left).toEqual({ type: 'left', session_id: sessionId });
      const late = await ask(client, { type: 'message', content: 'x' }, { type: 'error' });
      expect(late.code).toBe('not_joined');
      await client.hello({ agent_id: 'slow', session_id: sessionId, since: 1 });
      expect((await client.final('m0')).content).toBe('echo: running');
    },
  },
  {
    title: 'leave, snapshot, hello: come behind the answers to the messages sent before them',
    async run(target) {
      const { client, sessionId } = await attach(target);
      client.message('one', { message_id: 'm1' });
      client.send({ type: 'snapshot' });
      client.message('two', { message_id: 'm2' });
      client.send({ type: 'leave' });
      client.message('three', { message_id: 'm3' });
      await client.hello({ agent_id: 'echo', session_id: sessionId, since: 0 });
      client.message('four', { message_id: 'm4' });
      await client.hello({ agent_id: 'echo' });
      const answers = client.frames.flatMap(({ type, status, message_id }) =>
        type === 'replay' || status === 'final' ? [] : [message_id ?? type],
      );
      const order = ['m1', 'snapshot', 'm2', 'left', 'm3', 'hello_ok', 'm4', 'hello_ok'];
      expect(answers.filter((it) => it !== 'status').slice(1)).toEqual(order);
    },
  },
  {
    title: 'ping and pong: a pong, and nothing',
    async run(target) {
      const { client } = await attach(target);
      expect(await ask(client, { type: 'ping' })).toEqual({ type: 'pong' });
      const before = client.frames.length;
      client.send({ type: 'pong' });
      expect(await isAlive(client)).toBe(true);
      expect(client.frames.length).toBe(before + 1);
    },
  },
];

export const control: readonly ContractCase[] = [...aborts, ...modes, ...others];
