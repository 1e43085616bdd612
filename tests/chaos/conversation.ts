import { sleep } from '@sluice/runtime';
import { type Frame, FrameClient, type Mode, UpgradeRefused } from '@sluice/testkit';
import type { Random } from './random.js';
import { type Attachment, type Recording, toViewFrame } from './recording.js';

const tickMs = 20;
/** Most messages of a client without outcome. */
const underwayMax = 4;

export type Draft = { readonly messageId: string; readonly mode: Mode };

export type ConversationOptions = {
  readonly session: string;
  /** Tells the connections of one session apart: `sender`, or `watcher`. */
  readonly name: string;
  readonly recording: Recording;
  readonly random: Random;
  /** Where to connect; called for each connection. */
  wsUrl(): string;
  /** Returns what to send now; undefined: nothing. */
  next(): Draft | undefined;
};

/** A connection, and how it attached. */
type Opened = { readonly client: FrameClient; readonly attachment: Attachment };

type Underway = {
  readonly mode: Mode;
  acknowledged: boolean;
  /** To be sent again, acknowledged or not, to get its outcome. */
  isAsked: boolean;
  resendMs: number;
};

/**
 * A client that keeps sending, and connects again at its cursor whenever its connection ends. It sends messages
 * that were not acknowledged again, under the same id.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #underway = new Map<string, Underway>();
  #position = 0;
  #epoch: string | undefined;
  #connections = 0;
  #isSending = true;
  #isOver = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Everything that was sent has been acknowledged and has its outcome. */
  get isSettled(): boolean {
    return this.#underway.size === 0;
  }

  /** Seq of the last event that it has seen. */
  get position(): number {
    return this.#position;
  }

  get unsettled(): string[] {
    return [...this.#underway.keys()];
  }

  stopSending(): void {
    this.#isSending = false;
  }

  leave(): void {
    this.#isOver = true;
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const connection = await this.#open();
      if (!connection) await sleep(this.#options.random.between(50, 200));
      else await this.#follow(connection);
    }
  }

  /** Attaches at the cursor; returns undefined when it was refused and must be tried again. */
  async #open(): Promise<Opened | undefined> {
    const { session, name, wsUrl } = this.#options;
    const startMs = performance.now();
    const client = await FrameClient.connect(wsUrl()).catch((error: unknown) => {
      const status = error instanceof UpgradeRefused ? error.status : 0;
      const refusal = { status, why: String(error), startMs, endMs: performance.now() };
      this.#options.recording.refusals.push(refusal);
    });
    if (!client) return undefined;
    try {
      const since = this.#position;
      const epoch = this.#epoch;
      const capabilities = ['streaming'];
      const fields = { agent_id: 'slow', session_id: session, since, capabilities };
      const hello = await client.hello({ ...fields, ...(epoch ? { epoch } : {}) });
      const present = String(hello.epoch);
      // Without a resync the cursor belongs to the present epoch.
      if (hello.resync_required !== true) this.#epoch = present;
      this.#connections += 1;
      const connection = `${session}-${name}-${this.#connections}`;
      return {
        client,
        attachment: { session, client: name, connection, since, epoch: present },
      };
    } catch {
      client.cut();
      return undefined;
    }
  }

  async #follow({ client, attachment }: Opened) {
    let isClosed = false;
    client.closed.then(() => {
      isClosed = true;
    });
    for (const one of this.#underway.values()) one.resendMs = 0;
    const leaveMs = performance.now() + this.#options.random.between(5_000, 40_000);
    let read = 0;
    while (!isClosed && !this.#isOver) {
      for (; read < client.frames.length; read += 1) this.#take(client, read);
      this.#send(client);
      if (performance.now() > leaveMs) client.cut();
      await sleep(tickMs);
    }
    if (!isClosed) await client.close();
    for (; read < client.frames.length; read += 1) this.#take(client, read);
    this.#options.recording.view(attachment, client);
  }

  #take(client: FrameClient, index: number): void {
    const frame = client.frames[index];
    if (!frame) return;
    const seen = toViewFrame(frame);
    if (seen) {
      this.#position = seen.seq;
      this.#epoch = seen.epoch ?? this.#epoch;
      if (seen.kind === 'snapshot') this.#askAgain();
    }
    const { status, messageId } = seen?.kind === 'event' ? seen : namesOf(frame);
    const underway = messageId === undefined ? undefined : this.#underway.get(messageId);
    if (!underway || messageId === undefined) return;
    if (frame.type === 'error') this.#refused(messageId, frame);
    if (status === 'accepted' && !underway.acknowledged) {
      underway.acknowledged = true;
      const { session, recording } = this.#options;
      const atMs = client.arrivedMs[index] ?? performance.now();
      const { mode } = underway;
      const position = Number(frame.position ?? 0);
      const seq = seen?.seq ?? null;
      recording.acknowledged.push({ session, messageId, seq, position, mode, atMs });
    }
    if (status === 'final') this.#underway.delete(messageId);
  }

  /** After a snapshot outcomes may have been missed: a message that is sent again gets its outcome (S3). */
  #askAgain(): void {
    for (const one of this.#underway.values()) {
      one.resendMs = 0;
      one.isAsked = true;
    }
  }

  #refused(messageId: string, frame: Frame): void {
    const underway = this.#underway.get(messageId);
    if (!underway) return;
    if (frame.retryable === true && frame.code !== 'busy') {
      underway.isAsked = underway.acknowledged;
      underway.resendMs = performance.now() + 200;
      return;
    }
    this.#underway.delete(messageId);
    if (underway.mode === 'reject' && frame.code === 'busy') return;
    const { recording, session } = this.#options;
    recording.odd(`${session} ${messageId} was refused: ${JSON.stringify(frame)}`);
  }

  #send(client: FrameClient): void {
    const now = performance.now();
    for (const [messageId, underway] of this.#underway) {
      if (underway.acknowledged && !underway.isAsked) continue;
      if (underway.resendMs > now) continue;
      underway.isAsked = false;
      underway.resendMs = now + 5_000;
      client.message(`say ${messageId}`, { message_id: messageId, mode: underway.mode });
    }
    if (!this.#isSending || this.#underway.size >= underwayMax) return;
    const { session, recording } = this.#options;
    const draft = this.#options.next();
    if (!draft) return;
    const { messageId, mode } = draft;
    recording.sent.push({ session, messageId, mode, atMs: now });
    const resendMs = now + 5_000;
    this.#underway.set(messageId, { mode, acknowledged: false, isAsked: false, resendMs });
    client.message(`say ${messageId}`, { message_id: messageId, mode });
  }
}

/** Status and id of a repeat or a refusal, which are not in the log. */
function namesOf({ status, message_id }: Frame) {
  return { status, messageId: message_id };
}
