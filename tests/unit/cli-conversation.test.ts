import { describe, expect, it } from '@jest/globals';
import { Conversation, type ConversationOptions, type Effect, type Frame } from '@sluice/cli';

function begin(options: Partial<ConversationOptions> = {}): Conversation {
  let made = 0;
  const makeMessageId = () => `m${++made}`;
  return new Conversation({ agentId: 'echo', streaming: true, makeMessageId, ...options });
}

/** A conversation that is attached to a new session. */
function attached(): Conversation {
  const conversation = begin();
  conversation.receive(helloOk());
  return conversation;
}

const helloOk = (more: Frame = {}): Frame => ({
  type: 'hello_ok',
  session_id: 's1',
  epoch: 'e1',
  cursor: 0,
  resumed: false,
  ...more,
});
const resumed = helloOk({ resumed: true, cursor: 99 });

const accepted = (id: string, cursor: number): Frame => ({
  type: 'response',
  status: 'accepted',
  message_id: id,
  cursor,
  seq: cursor,
});
const final = (id: string, cursor: number | undefined, content = `echo: ${id}`): Frame => ({
  type: 'response',
  status: 'final',
  message_id: id,
  content,
  outcome: { status: 'ok' },
  ...(cursor === undefined ? { duplicate: true } : { cursor, seq: cursor }),
});
const token = (id: string, cursor: number, content: string): Frame => ({
  type: 'token_stream',
  data: { message_id: id, content },
  cursor,
  seq: cursor,
});
const refusal = (id: string, retryable: boolean): Frame => ({
  type: 'error',
  code: retryable ? 'inbox_full' : 'payload_too_large',
  message: 'no',
  retryable,
  message_id: id,
});

const sent = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.do === 'send' ? [effect.frame] : []));
const idsOf = (effects: readonly Effect[]) => sent(effects).map((frame) => frame.message_id);
const replies = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.do === 'reply' ? [effect.reply.content] : []));

describe('a conversation', () => {
  it('says hello to a new session, then with session, cursor and epoch', () => {
    const conversation = begin();
    expect(conversation.hello()).not.toHaveProperty('since');
    conversation.receive(helloOk());
    conversation.receive(accepted('x', 1));
    expect(conversation.hello()).toMatchObject({ session_id: 's1', since: 1, epoch: 'e1' });
  });

  it('sends the next message when the one before is acknowledged', () => {
    const conversation = attached();
    expect(idsOf(conversation.say('one'))).toEqual(['m1']);
    expect(idsOf(conversation.say('two'))).toEqual([]);
    expect(idsOf(conversation.receive(accepted('m1', 1)))).toEqual(['m2']);
    expect(conversation.idle).toBe(false);
    conversation.receive(accepted('m2', 2));
    expect(replies(conversation.receive(final('m1', 3)))).toEqual(['echo: m1']);
    conversation.receive(final('m2', 4));
    expect(conversation.idle).toBe(true);
  });

  it('S3: sends what was not acknowledged again under the same id after a reconnect', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.detached();
    expect(idsOf(conversation.say('two'))).toEqual([]);
    expect(idsOf(conversation.receive(resumed))).toEqual(['m1']);
    const duplicate = { ...accepted('m1', 1), cursor: undefined, duplicate: true };
    expect(idsOf(conversation.receive(duplicate))).toEqual(['m2']);
  });

  it('E3: takes each event once, live and replayed', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.receive(accepted('m1', 1));
    conversation.receive(final('m1', 2));
    const replay = { type: 'replay', seq: 2, event: { data: final('m1', 2) } };
    expect(conversation.receive(replay)).toEqual([]);
    const next = { type: 'replay', seq: 3, event: { data: final('other', 3) } };
    expect(replies(conversation.receive(next))).toEqual(['echo: other']);
    expect(conversation.receive(final('m1', undefined))).toEqual([]);
  });

  it('E3: attaches again when events are missing, and says so when they stay missing', () => {
    const conversation = attached();
    expect(conversation.receive(accepted('a', 1))).toEqual([]);
    expect(conversation.receive(accepted('b', 4))).toEqual([{ do: 'reconnect', afterMs: 0 }]);
    expect(conversation.hello()).toMatchObject({ since: 1 });
    expect(conversation.receive(accepted('b', 4))).toEqual([
      { do: 'notice', text: 'Some events are missing.' },
    ]);
    expect(conversation.receive({ ...final('b', 7), skipped: 2 })).toHaveLength(1);
  });

  it('E3: counts what a replay left out for this connection, whatever the event first said', () => {
    const conversation = attached();
    const data = { ...final('a', 4), skipped: 1, epoch: 'e0' };
    const replay = { type: 'replay', seq: 4, event: { data }, skipped: 3 };
    expect(replies(conversation.receive(replay))).toEqual(['echo: a']);
    expect(conversation.hello()).toMatchObject({ since: 4, epoch: 'e1' });
  });

  it('E2: takes over the epoch of a hello_ok that needed no resync', () => {
    const conversation = attached();
    conversation.receive(accepted('a', 1));
    conversation.receive({ ...resumed, epoch: 'e2' });
    expect(conversation.hello()).toMatchObject({ since: 1, epoch: 'e2' });
  });

  it('E4: sends open messages again when its position is replaced by a snapshot', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.receive(accepted('m1', 1));
    const state = { epoch: 'e2', event_cursor: 70 };
    expect(idsOf(conversation.receive({ type: 'snapshot', state }))).toEqual(['m1']);
    expect(conversation.hello()).toMatchObject({ since: 70, epoch: 'e2' });
    const duplicate = { ...accepted('m1', 1), cursor: undefined, duplicate: true };
    conversation.receive(duplicate);
    expect(replies(conversation.receive(final('m1', undefined)))).toEqual(['echo: m1']);
    expect(conversation.idle).toBe(true);
  });

  it('E2: takes events of a new epoch whatever their number', () => {
    const conversation = attached();
    conversation.receive(accepted('a', 1));
    conversation.receive(accepted('b', 2));
    conversation.receive({ ...accepted('c', 1), epoch: 'e2' });
    expect(conversation.hello()).toMatchObject({ since: 1, epoch: 'e2' });
  });

  it('streams, and discards what a retry_stream makes void', () => {
    const conversation = attached();
    conversation.receive(accepted('m1', 1));
    expect(conversation.receive(token('m1', 2, 'he'))).toEqual([{ do: 'stream', text: 'he' }]);
    const retry = { type: 'retry_stream', data: { message_id: 'm1' }, cursor: 3 };
    expect(conversation.receive(retry)).toEqual([{ do: 'discard' }]);
    conversation.receive(token('m1', 4, 'hello'));
    const [reply] = conversation.receive(final('m1', 5, 'hello!'));
    expect(reply).toMatchObject({ reply: { content: 'hello!', streamed: 'hello' } });
  });

  it('keeps the order when a message is refused for the moment', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.say('two');
    const effects = conversation.receive(refusal('m1', true));
    expect(effects).toContainEqual({ do: 'retry', tries: 1 });
    expect(idsOf(conversation.retry())).toEqual(['m1']);
    expect(conversation.receive(refusal('m1', true))).toEqual([{ do: 'retry', tries: 2 }]);
  });

  it('goes on after a message that is refused for good', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.say('two');
    expect(idsOf(conversation.receive(refusal('m1', false)))).toEqual(['m2']);
    expect(conversation.refused).toBe(1);
  });

  it('turns /stop into an abort, after the messages before it', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.say('/stop');
    const [first] = sent(conversation.receive(accepted('m1', 1)));
    expect(first).toEqual({ type: 'abort', reason: 'user', abort_id: 'm2' });
    const answer = { type: 'aborted', message_id: 'm1', abort_id: 'm2' };
    expect(conversation.receive(answer)).toEqual([]);
    expect(conversation.unsent).toBe(0);
  });

  it('T6 stops the reply that is shown, and sends a stop without an answer again', () => {
    const conversation = attached();
    conversation.say('one');
    conversation.receive(accepted('m1', 1));
    conversation.receive(token('m1', 2, 'a beginning'));
    const stop = { type: 'abort', reason: 'user', abort_id: 'm2', message_id: 'm1' };
    expect(sent(conversation.say('/stop'))).toEqual([stop]);
    conversation.detached();
    expect(sent(conversation.receive(resumed))).toEqual([stop]);
    const answer = { type: 'no_active_turn', message_id: 'm1', reason: 'ended', abort_id: 'm2' };
    expect(conversation.receive(answer)).toEqual([{ do: 'notice', text: 'It had ended already.' }]);
    // A gateway of an earlier release answers without `abort_id`.
    conversation.say('/stop');
    conversation.receive({ type: 'no_active_turn' });
    expect(conversation.unsent).toBe(0);
  });

  it('E6: shows status lines, and D6: stays away as long as it was asked to', () => {
    const conversation = attached();
    const message = 'Resuming processing (2 pending messages)...';
    expect(conversation.receive({ type: 'status', message })).toEqual([
      { do: 'notice', text: message },
    ]);
    conversation.receive({ type: 'going_away', reason: 'draining', reconnect_after_ms: 300 });
    expect(conversation.detached()).toBe(300);
    expect(conversation.detached()).toBe(0);
  });

  it('ends when the session has ended or the gateway refuses it for good', () => {
    const end = { type: 'session_end', data: { continues: false, reason: 'r' }, cursor: 1 };
    expect(attached().receive(end)).toMatchObject([{ do: 'end', status: 0 }]);
    const refused = { type: 'hello_error', code: 'agent_not_found', message: 'no' };
    expect(begin().receive(refused)).toMatchObject([{ do: 'end', status: 1 }]);
    const away = { type: 'hello_error', code: 'unavailable', message: 'no' };
    expect(begin().receive(away)).toContainEqual({ do: 'reconnect', afterMs: 1_000 });
  });
});
