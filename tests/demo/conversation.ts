import { sleep } from '@sluice/runtime';
import { eventually, type Frame, FrameClient, loggedFrame, streamedTexts } from '@sluice/testkit';
import { type Recording, toViewFrame } from '../chaos/recording.js';
import { idOf, numberOf } from './guide.js';
import type { Screen } from './screen.js';

/** Pause before a new connection when the gateway has not named one. */
const comeBackMs = 250;
const session = 'demo';
const stepMs = 60_000;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/**
 * The only client. It connects again through the balancer, at its cursor, whenever its connection ends, and
 * shows what it gets. Between two connections it keeps only its cursor and the epoch.
 */
export class Conversation {
  /** Every event of the log, over all connections. */
  readonly events: Frame[] = [];
  /** The node through which it is connected. */
  node: string | undefined;
  connections = 0;
  /** Acknowledgements that were marked as repeated. */
  duplicates = 0;
  readonly #wsUrl: string;
  readonly #screen: Screen;
  readonly #recording: Recording;
  #client: FrameClient | undefined;
  #cursor = 0;
  #epoch: string | undefined;
  #lostMs: number | undefined;
  #reconnectAfterMs = comeBackMs;
  /** Replayed frames, kept until the status message about them has come and been shown. */
  #held: Frame[] | undefined;
  #isOver = false;

  constructor(wsUrl: string, screen: Screen, recording: Recording) {
    this.#wsUrl = wsUrl;
    this.#screen = screen;
    this.#recording = recording;
  }

  /** Runs until `leave` is called. */
  async run(): Promise<void> {
    while (!this.#isOver) {
      const client = await FrameClient.connect(this.#wsUrl).catch(() => undefined);
      if (client) await this.#follow(client).catch(() => client.cut());
      if (this.#isOver) return;
      this.node = undefined;
      this.#lostMs ??= performance.now();
      await sleep(this.#reconnectAfterMs);
      this.#reconnectAfterMs = comeBackMs;
    }
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await this.#client?.close();
  }

  cut(): void {
    this.#client?.cut();
  }

  /** Resolves when all of them are acknowledged. */
  async send(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const messageId = idOf(number);
      const content = `Tell me more (${number}).`;
      const atMs = performance.now();
      const isNew = !this.#recording.sent.some((one) => one.messageId === messageId);
      if (isNew) this.#recording.sent.push({ session, messageId, mode: 'enqueue', atMs });
      this.#client?.message(content, { message_id: messageId });
    }
    await eventually(() => numbers.every((number) => this.has(number, 'accepted')), stepMs);
  }

  has(number: number, status: 'accepted' | 'final'): boolean {
    return this.events.some((it) => it.status === status && it.message_id === idOf(number));
  }

  /** How many words of the reply are shown now. */
  wordsOf(number: number): number {
    return (streamedTexts(this.events).get(idOf(number)) ?? '').match(/\S+/g)?.length ?? 0;
  }

  async #follow(client: FrameClient): Promise<void> {
    const since = this.#cursor;
    const position = { since, ...(this.#epoch ? { epoch: this.#epoch } : {}) };
    const hello = await client.hello({ agent_id: 'guide', session_id: session, ...position });
    this.#client = client;
    this.#epoch = String(hello.epoch);
    this.node = String(hello.node_id);
    this.connections += 1;
    this.#tellConnected(Number(hello.cursor) - since);
    this.#held = Number(hello.pending) > 0 ? [] : undefined;
    const epoch = this.#epoch;
    try {
      // `next` rejects when the connection has ended and all its frames were taken.
      for (;;) this.#take(await client.next(() => true, stepMs));
    } catch {
      const { code } = await client.closed;
      if (code === 1012)
        this.#screen.line('client', 'connection closed with 1012 (service_restart)');
    } finally {
      const connection = `connection ${this.connections}`;
      this.#recording.view({ session, client: 'client', connection, since, epoch }, client);
    }
  }

  #tellConnected(missed: number): void {
    if (this.#lostMs === undefined) {
      this.#screen.line('client', `connected through ${this.node}`);
      return;
    }
    const ms = Math.round(performance.now() - this.#lostMs);
    this.#lostMs = undefined;
    const events = `${missed} ${missed === 1 ? 'event' : 'events'}`;
    const replay = missed > 0 ? `${events} replayed` : 'nothing missed';
    this.#screen.line('client', `reconnected through ${this.node} after ${ms} ms, ${replay}`);
  }

  #take(frame: Frame): void {
    if (frame.duplicate === true) this.duplicates += 1;
    if (frame.type === 'status') this.#tellStatus(String(frame.message));
    if (frame.type === 'going_away') {
      this.#reconnectAfterMs = Number(frame.reconnect_after_ms);
      this.#screen.line('client', `going_away: asked to come back in ${this.#reconnectAfterMs} ms`);
    }
    const logged = loggedFrame(frame);
    if (!logged) return;
    this.events.push(logged);
    this.#cursor = logged.cursor ?? this.#cursor;
    this.#epoch = logged.epoch ?? this.#epoch;
    this.#acknowledge(frame, logged);
    if (this.#held) this.#held.push(logged);
    else this.#show(logged);
  }

  #tellStatus(message: string): void {
    if (!message.startsWith('Resuming')) return;
    this.#screen.more(message);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.#show(event);
  }

  #acknowledge(frame: Frame, { status, message_id: messageId = '', position }: Frame): void {
    const seen = toViewFrame(frame);
    if (status !== 'accepted' || seen?.kind !== 'event') return;
    const mode = 'enqueue' as const;
    const more = { seq: seen.seq, position: Number(position), atMs: performance.now() };
    this.#recording.acknowledged.push({ session, messageId, mode, ...more });
  }

  #show({ type, status, message_id, data, outcome }: Frame): void {
    const fields = isObject(data) ? data : {};
    const id = message_id ?? String(fields.message_id);
    const number = numberOf(id);
    if (type === 'token_stream') {
      this.#screen.words(id, String(number).padStart(2), String(fields.content));
    } else if (type === 'retry_stream') {
      this.#screen.forget(id);
      this.#screen.line('client', `retry_stream: starting message ${number} again`);
    } else if (status === 'final') {
      this.#screen.endReply(id);
      const word = isObject(outcome) ? String(outcome.status) : 'unknown';
      if (word !== 'ok') this.#screen.line('agent', `message ${number}: ${word}`, 'red');
    }
  }
}
