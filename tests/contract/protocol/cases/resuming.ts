import { expect } from '@jest/globals';
import { type Frame, gaps } from '@sluice/testkit';
import { ask, attach, type ContractCase, http, open, type Target } from '../target.js';

/** A session of `echo` with `count` finished messages, and what its first connection saw. */
async function spoken(target: Target, count: number) {
  const attached = await attach(target);
  const { client } = attached;
  for (let i = 1; i <= count; i += 1)
    await client.final(client.message(`${i}`, { message_id: `m${i}` }));
  return attached;
}

const replays = ({ frames }: { frames: readonly Frame[] }) =>
  frames.filter(({ type }) => type === 'replay');

export const resuming: readonly ContractCase[] = [
  {
    title: 'resume: since replays what is behind it, wrapped as first sent, and goes on live',
    async run(target) {
      const { client, sessionId, hello } = await spoken(target, 3);
      const again = await attach(target, { session_id: sessionId, since: 2 });
      expect(again.hello).toMatchObject({ resumed: true, cursor: 6, resync_required: false });
      await again.client.final(again.client.message('live'));
      const [first] = replays(again.client);
      const data = client.logged()[2];
      expect(first).toEqual({
        type: 'replay',
        seq: 3,
        event: {
          type: 'response',
          data: { ...data, durability: undefined },
          event_id: `${hello.epoch}:3`,
          timestamp: expect.any(Number),
          source: 'echo',
          target: sessionId,
          sequence: 3,
        },
      });
      expect(replays(again.client)).toHaveLength(4);
      expect(gaps(again.client.logged(), 2)).toEqual([]);
    },
  },
  {
    title: 'resume: since 0 of an intact log is no resync',
    async run(target) {
      const { sessionId } = await spoken(target, 1);
      const { client, hello } = await attach(target, { session_id: sessionId, since: 0 });
      expect(hello).toMatchObject({ resync_required: false, oldest_cursor: 1 });
      await client.final('m1');
      expect(client.frames.some(({ type }) => type === 'snapshot')).toBe(false);
    },
  },
  ...[
    { since: 99, why: 'beyond the head' },
    { since: 1, epoch: '1', why: 'of an epoch that never was' },
  ].map(({ why, ...position }) => ({
    title: `resume: since ${why} is a resync, with a snapshot instead of a replay`,
    async run(target: Target) {
      const { sessionId } = await spoken(target, 1);
      const { client, hello } = await attach(target, { session_id: sessionId, ...position });
      expect(hello.resync_required).toBe(true);
      const { state } = await client.waitFor({ type: 'snapshot' });
      expect(state).toMatchObject({ event_cursor: 2, messages: [{ content: '1' }, {}] });
      await client.final(client.message('on'));
      expect(replays(client)).toEqual([]);
      expect(gaps(client.logged(), 2)).toEqual([]);
    },
  })),
  {
    title: 'resume: with work pending it is said how much, and hello alone is enough to go on',
    async run(target) {
      const { client, sessionId } = await attach(target, { agent_id: 'slow' });
      for (const id of ['m1', 'm2', 'm3']) client.message(id, { message_id: id });
      await client.waitFor({ status: 'accepted', message_id: 'm3' });
      client.cut();
      const again = await attach(target, { agent_id: 'slow', session_id: sessionId, since: 0 });
      expect(again.hello.pending).toBeGreaterThan(0);
      const status = await again.client.waitFor({ type: 'status' });
      expect(status.message).toBe(
        `Resuming processing (${again.hello.pending} pending messages)...`,
      );
      await again.client.final('m3', 10_000);
      expect(gaps(again.client.logged())).toEqual([]);
    },
  },
  {
    title: 'resume: without since comes what was missed, once',
    async run(target) {
      const { client, sessionId } = await attach(target, { since: undefined });
      await client.final(client.message('seen', { message_id: 'm1' }));
      await client.close();
      const other = await attach(target, { session_id: sessionId });
      await other.client.final(other.client.message('missed', { message_id: 'm2' }));
      const again = await attach(target, { session_id: sessionId, since: undefined });
      await again.client.final('m2');
      await again.client.final(again.client.message('live'));
      expect(replays(again.client).map(({ seq }) => seq)).toEqual([3, 4]);
    },
  },
  {
    title: 'session_end: DELETE ends it; then session_ended, and another hello begins anew',
    async run(target) {
      const { client, sessionId, hello } = await spoken(target, 1);
      const path = `/v1/sessions/${sessionId}`;
      expect((await http(target, path, { method: 'DELETE' })).ok).toBe(true);
      const end = await client.waitFor({ type: 'session_end' });
      expect(end.data).toMatchObject({
        session_id: sessionId,
        reason: 'Ended by client',
        had_pending_work: false,
        was_executing: false,
        continues: false,
      });
      const late = await ask(client, { type: 'message', content: 'x', message_id: 'm9' });
      expect(late).toMatchObject({ type: 'error', code: 'session_ended', message_id: 'm9' });
      const anew = await client.hello({ session_id: sessionId, since: 0 });
      expect(anew).toMatchObject({ resumed: false, cursor: 0 });
      expect(anew.epoch).not.toBe(hello.epoch);
      expect((await http(target, `${path}x`, { method: 'DELETE' })).status).toBe(404);
    },
  },
  {
    title: 'HTTP: a message posted and waited for, the events as SSE, the session read',
    async run(target) {
      const { sessionId } = await spoken(target, 1);
      const path = `/v1/sessions/${sessionId}`;
      const post = (query: string, body: object) =>
        http(target, `${path}/messages${query}`, { method: 'POST', body: JSON.stringify(body) });
      const accepted = await post('', { content: 'two', message_id: 'm2' });
      expect(accepted.status).toBe(202);
      expect(await accepted.json()).toMatchObject({ status: 'accepted', message_id: 'm2' });
      const final = await post('?wait=10', { content: 'three', message_id: 'm3' });
      expect(final.status).toBe(200);
      expect(await final.json()).toMatchObject({ status: 'final', content: 'echo: three' });
      const wrong = await post('', { content: '' });
      expect(wrong.status).toBe(400);
      expect(await wrong.json()).toMatchObject({
        error: { code: 'invalid_frame', retryable: false },
      });
      const read: unknown = await (await http(target, path)).json();
      expect(read).toMatchObject({ session_id: sessionId, event_cursor: 6 });
      const events = await http(target, `${path}/events?since=4`);
      expect(events.headers.get('content-type')).toMatch(/^text\/event-stream/);
      let text = '';
      for await (const chunk of events.body ?? []) {
        text += Buffer.from(chunk).toString();
        if (text.includes('echo: three')) break;
      }
      expect([...text.matchAll(/^id: ?\d+:(\d+)$/gm)].map(([, seq]) => seq)).toEqual(['5', '6']);
    },
  },
  {
    title: 'liveness: a socket from which nothing comes is closed with 4002',
    async run(target) {
      const client = await open(target);
      const { policy } = await client.hello();
      const { heartbeat_ms } = Object(policy) as { heartbeat_ms: number };
      if (heartbeat_ms > 2_000) return; // too long to wait for here
      client.pause();
      await new Promise((resolve) => setTimeout(resolve, heartbeat_ms * 3));
      client.resume();
      expect((await client.closed).code).toBe(4002);
    },
  },
];
