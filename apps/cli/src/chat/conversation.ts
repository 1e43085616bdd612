import { type Frame, numberOf, objectOf, textOf } from '../api/frame.js';
import { type Effect, onHelloError } from './effects.js';
import { frameOf, type Item, type Outgoing } from './outgoing.js';

export type Position = { readonly epoch: string; readonly cursor: number };

export type ConversationOptions = {
  readonly agentId: string;
  readonly sessionId?: string | undefined;
  readonly position?: Position | undefined;
  readonly streaming: boolean;
  readonly makeMessageId: () => string;
};

/**
 * The client's half of a session, without socket or terminal. Only one message at a time waits for its
 * acknowledgement: so the messages keep the order of the lines, whatever is refused. A message that was not
 * acknowledged when the connection broke is sent again under the same id (S3).
 */
export class Conversation {
  #sessionId: string | undefined;
  #position: Position | undefined;
  #attached = false;
  readonly #outbox: Outgoing[] = [];
  readonly #waiting = new Map<string, Item>();
  #inFlight: string | undefined;
  #streamed = { id: '', text: '' };
  #tries = 0;
  #hole = 0;
  #reconnectAfterMs = 0;
  /** Messages that were refused for good. */
  refused = 0;

  constructor(readonly options: ConversationOptions) {
    this.#sessionId = options.sessionId;
    this.#position = options.position;
  }

  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  get unsent(): number {
    return this.#outbox.length;
  }

  /** Every message has its final. */
  get idle(): boolean {
    return this.#outbox.length === 0 && this.#waiting.size === 0;
  }

  hello(): Frame {
    const capabilities = [
      'ack',
      'compact_replay',
      ...(this.options.streaming ? ['streaming'] : []),
    ];
    const position = this.#position;
    return {
      type: 'hello',
      agent_id: this.options.agentId,
      capabilities,
      ...(this.#sessionId ? { session_id: this.#sessionId } : {}),
      ...(position ? { since: position.cursor, epoch: position.epoch } : {}),
    };
  }

  say(content: string): Effect[] {
    const id = this.options.makeMessageId();
    if (content !== '/stop') this.#outbox.push({ kind: 'message', id, content });
    else this.#outbox.push({ kind: 'abort', id, of: this.#streamed.id });
    return this.#pump();
  }

  /** Sends the refused message once more. */
  retry(): Effect[] {
    this.#inFlight = undefined;
    return this.#pump();
  }

  /** The connection is gone; returns how many milliseconds the server asked to stay away. */
  detached(): number {
    this.#attached = false;
    this.#inFlight = undefined;
    const afterMs = this.#reconnectAfterMs;
    this.#reconnectAfterMs = 0;
    return afterMs;
  }

  receive(frame: Frame): Effect[] {
    if (frame.type === 'replay') {
      // The fields for this connection (`epoch`, `skipped`) stand beside the event, not in it.
      const { epoch, skipped, seq: cursor } = frame;
      const {
        epoch: _epoch,
        skipped: _skipped,
        ...event
      } = objectOf(objectOf(frame, 'event'), 'data');
      return this.#logged({ ...event, epoch, skipped, cursor });
    }
    return typeof frame.cursor === 'number' && frame.type !== 'hello_ok'
      ? this.#logged(frame)
      : this.#dispatch(frame);
  }

  /** Takes each event of the log once, and notices a hole (E3). */
  #logged(frame: Frame): Effect[] {
    const cursor = numberOf(frame, 'cursor');
    const last = this.#position;
    const missing: Effect[] = [];
    const epoch = textOf(frame, 'epoch') || (last?.epoch ?? '');
    if (last && epoch === last.epoch) {
      if (cursor <= last.cursor) return [];
      const isHole = cursor > last.cursor + 1 + numberOf(frame, 'skipped');
      if (isHole && this.#hole !== cursor) {
        this.#hole = cursor;
        return [{ do: 'reconnect', afterMs: 0 }];
      }
      if (isHole) missing.push({ do: 'notice', text: 'Some events are missing.' });
    }
    this.#position = { epoch, cursor };
    return [...missing, ...this.#dispatch(frame)];
  }

  #dispatch(frame: Frame): Effect[] {
    const data = objectOf(frame, 'data');
    switch (frame.type) {
      case 'hello_ok':
        return this.#onHello(frame);
      case 'hello_error':
        return onHelloError(frame);
      case 'response':
        return frame.status === 'final' ? this.#onFinal(frame) : this.#onAccepted(frame);
      case 'snapshot':
        return this.#onSnapshot(objectOf(frame, 'state'));
      case 'token_stream':
        return this.#onToken(data);
      case 'retry_stream':
        return this.#onRetry(data);
      case 'session_end':
        return data.continues === false
          ? [{ do: 'end', status: 0, text: `The session has ended: ${textOf(data, 'reason')}` }]
          : [
              {
                do: 'notice',
                text: 'The turn was cut off by a shutdown; another node repeats it.',
              },
            ];
      case 'status':
        return [{ do: 'notice', text: textOf(frame, 'message') }];
      case 'going_away':
        this.#reconnectAfterMs = numberOf(frame, 'reconnect_after_ms');
        return [{ do: 'notice', text: `The node goes away (${textOf(frame, 'reason')}).` }];
      case 'aborted':
      case 'no_active_turn':
        return this.#onStopped(frame);
      case 'error':
        return this.#onError(frame);
      case 'ping':
        return [{ do: 'send', frame: { type: 'pong' } }];
      default:
        return [];
    }
  }

  #onHello(frame: Frame): Effect[] {
    const isFirst = this.#sessionId === undefined;
    this.#sessionId = textOf(frame, 'session_id');
    this.#attached = true;
    const epoch = textOf(frame, 'epoch');
    if (frame.resumed !== true) this.#position = { epoch, cursor: numberOf(frame, 'cursor') };
    else if (this.#position) this.#position = { epoch, cursor: this.#position.cursor };
    const gone = !isFirst && frame.resumed !== true && this.#waiting.size > 0;
    const notice: Effect[] = isFirst
      ? [{ do: 'notice', text: `Session ${this.#sessionId}` }]
      : gone
        ? [{ do: 'notice', text: 'The session was gone; its open messages are sent again.' }]
        : [];
    if (gone) this.#sayAgain();
    return [...notice, ...this.#pump()];
  }

  #onAccepted(frame: Frame): Effect[] {
    const id = textOf(frame, 'message_id');
    const item = this.#take(id);
    if (item?.kind === 'message') this.#waiting.set(id, item);
    if (this.#inFlight === id) this.#inFlight = undefined;
    this.#tries = 0;
    return this.#pump();
  }

  #onFinal(frame: Frame): Effect[] {
    const id = textOf(frame, 'message_id');
    const own = this.#waiting.delete(id);
    // A repeated outcome: it was shown when it came first.
    if (frame.duplicate === true && !own) return [];
    const streamed = this.#streamed.id === id ? this.#streamed.text : '';
    this.#streamed = { id: '', text: '' };
    const outcome = objectOf(frame, 'outcome');
    return [
      {
        do: 'reply',
        reply: {
          content: textOf(frame, 'content'),
          outcome: textOf(outcome, 'status'),
          reason: textOf(outcome, 'reason'),
          streamed,
          own,
        },
      },
    ];
  }

  /** The answer to the abort that was sent last; its id makes a repeat harmless. */
  #onStopped(frame: Frame): Effect[] {
    const isAbort = this.#outbox.some((it) => it.kind === 'abort' && it.id === this.#inFlight);
    const id = textOf(frame, 'abort_id') || (isAbort && this.#inFlight) || '';
    this.#take(id);
    if (this.#inFlight === id) this.#inFlight = undefined;
    const text = frame.reason === 'ended' ? 'It had ended already.' : 'Nothing is running.';
    const notice: Effect[] = frame.type === 'aborted' ? [] : [{ do: 'notice', text }];
    return [...notice, ...this.#pump()];
  }

  #onToken(data: Frame): Effect[] {
    const id = textOf(data, 'message_id');
    const text = textOf(data, 'content');
    if (this.#streamed.id !== id) this.#streamed = { id, text: '' };
    this.#streamed.text += text;
    return [{ do: 'stream', text }];
  }

  #onRetry(data: Frame): Effect[] {
    if (this.#streamed.id !== textOf(data, 'message_id') || !this.#streamed.text) return [];
    this.#streamed = { id: '', text: '' };
    return [{ do: 'discard' }];
  }

  /** After a resync missed outcomes are not replayed: open messages are sent again by id, to get theirs. */
  #onSnapshot(state: Frame): Effect[] {
    const discard: Effect[] = this.#streamed.text ? [{ do: 'discard' }] : [];
    this.#streamed = { id: '', text: '' };
    this.#position = {
      epoch: textOf(state, 'epoch'),
      cursor: numberOf(state, 'event_cursor'),
    };
    this.#sayAgain();
    return [...discard, ...this.#pump()];
  }

  #take(id: string): Outgoing | undefined {
    const at = this.#outbox.findIndex((item) => item.id === id);
    return at < 0 ? undefined : this.#outbox.splice(at, 1)[0];
  }

  #sayAgain(): void {
    this.#outbox.unshift(...this.#waiting.values());
    this.#waiting.clear();
  }

  #onError(frame: Frame): Effect[] {
    const code = textOf(frame, 'code');
    const text = textOf(frame, 'message') || code;
    if (code === 'session_ended') return [{ do: 'end', status: 1, text }];
    const id = textOf(frame, 'message_id');
    if (!id || id !== this.#inFlight) return [{ do: 'notice', text }];
    if (frame.retryable === true) {
      this.#tries++;
      const first: Effect[] =
        this.#tries === 1 ? [{ do: 'notice', text: `${text}; trying again` }] : [];
      return [...first, { do: 'retry', tries: this.#tries }];
    }
    this.#inFlight = undefined;
    if (this.#take(id)?.kind === 'message') this.refused++;
    return [{ do: 'notice', text: `Not accepted: ${text}` }, ...this.#pump()];
  }

  #pump(): Effect[] {
    const effects: Effect[] = [];
    while (this.#attached && this.#inFlight === undefined) {
      const head = this.#outbox[0];
      if (!head) break;
      this.#inFlight = head.id;
      effects.push({ do: 'send', frame: frameOf(head) });
    }
    return effects;
  }
}
