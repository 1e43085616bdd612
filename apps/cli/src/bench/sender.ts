import { exitStatus, monotonicMs, StartError, sleep } from '@sluice/runtime';
import { type Frame, isFrame, numberOf, objectOf, textOf } from '../api/frame.js';
import { type Link, openLink } from '../chat/link.js';
import { untilStopped } from '../command/until-stopped.js';
import { Outstanding, type Tally } from './tally.js';

export type SenderOptions = {
  readonly url: string;
  readonly token: string | undefined;
  readonly agentId: string;
  readonly sessionId: string;
  readonly content: string;
  readonly streaming: boolean;
  readonly tally: Tally;
};

const RECONNECT_MS = 200;

/** One connection with its session; when it is lost, it connects again at its cursor. */
export class Sender {
  readonly outstanding: Outstanding;
  #link: Link | undefined;
  #cursor = 0;
  #epoch = '';
  #number = 0;
  #isAttached = false;
  #isClosed = false;
  #fail: (error: Error) => void = () => {};
  #wake: () => void = () => {};

  constructor(readonly options: SenderOptions) {
    this.outstanding = new Outstanding(options.tally);
  }

  /** Resolves when it is attached for the first time; rejects when the gateway refuses that. */
  async open(): Promise<void> {
    const refused = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    refused.catch(() => {});
    this.#connect();
    while (!this.#isAttached) await Promise.race([this.#changed(), refused]);
  }

  /** Latency counts from `dueMs`. */
  send(dueMs: number): void {
    this.#number += 1;
    const id = `${this.options.sessionId}-${this.#number}`;
    this.outstanding.add(id, dueMs);
    this.#transmit(id);
  }

  /** Waits until fewer than `most` messages have no outcome, or until `signal` aborts. */
  async settled(most: number, signal: AbortSignal): Promise<void> {
    while (this.outstanding.count >= most && !signal.aborted) {
      await untilStopped(this.#changed(), signal);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#link?.close();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #connect(): void {
    const { url, token, agentId, sessionId, streaming } = this.options;
    this.#link = openLink(url, token, {
      onOpen: () =>
        this.#link?.send({
          type: 'hello',
          agent_id: agentId,
          session_id: sessionId,
          since: this.#cursor,
          ...(this.#epoch ? { epoch: this.#epoch } : {}),
          capabilities: streaming ? ['streaming'] : [],
        }),
      onFrame: (frame) => this.#receive(frame),
      onClose: () => this.#onClose(),
    });
  }

  #receive(frame: Frame): void {
    if (frame.type === 'hello_ok') this.#onHello(frame);
    else if (frame.type === 'hello_error') this.#onRefused(frame);
    else if (frame.type === 'replay') this.#onEvent(objectOf(objectOf(frame, 'event'), 'data'));
    else this.#onEvent(frame);
    this.#wake();
  }

  #onEvent(frame: Frame): void {
    this.#cursor = numberOf(frame, 'cursor') || this.#cursor;
    this.#epoch = textOf(frame, 'epoch') || this.#epoch;
    // After a snapshot, outcomes that were missed are only in its history: they count as not answered.
    if (frame.type === 'snapshot' && isFrame(frame.state)) {
      this.#cursor = numberOf(frame.state, 'event_cursor');
      this.options.tally.error('resync');
    }
    this.outstanding.receive(frame, monotonicMs());
  }

  #onHello(frame: Frame): void {
    this.#epoch = textOf(frame, 'epoch') || this.#epoch;
    this.#isAttached = true;
    for (const id of this.outstanding.unacknowledged()) this.#transmit(id);
  }

  /** On the first connection this ends the bench; a later connection tries again. */
  #onRefused(frame: Frame): void {
    const code = textOf(frame, 'code');
    this.options.tally.error(code);
    const text = `the gateway refused a connection: ${textOf(frame, 'message')} (${code})`;
    this.#fail(new StartError(text, exitStatus.refused));
  }

  #transmit(id: string): void {
    const { content } = this.options;
    if (this.#isAttached) this.#link?.send({ type: 'message', message_id: id, content });
  }

  async #onClose(): Promise<void> {
    this.#isAttached = false;
    if (this.#isClosed) return;
    this.options.tally.reconnects += 1;
    await sleep(RECONNECT_MS);
    if (!this.#isClosed) this.#connect();
  }
}
