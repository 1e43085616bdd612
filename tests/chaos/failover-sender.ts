import { sleep } from '@sluice/runtime';
import { type Frame, FrameClient } from '@sluice/testkit';

const UNDERWAY_MAX = 3;
const TICK_MS = 20;

/** What an event is: two that differ may not have one place. */
const identityOf = ({ type, status, message_id, turn_id }: Frame) =>
  JSON.stringify([type, status, message_id, turn_id]);

/** Places `epoch seq` of one session, over all of its connections (E2). */
export class Places {
  readonly #events = new Map<string, string>();
  readonly reused: string[] = [];

  see(epoch: string, event: Frame): void {
    const place = `${epoch} ${event.seq}`;
    const known = this.#events.get(place);
    const identity = identityOf(event);
    if (known !== undefined && known !== identity)
      this.reused.push(`${place}: ${known}, ${identity}`);
    this.#events.set(place, identity);
  }
}

/** One client of one session. It comes back at its cursor, and sends again what was not acknowledged. */
export class FailoverSender {
  /** The level that each acknowledgement named, by message. */
  readonly acknowledged = new Map<string, string>();
  readonly places = new Places();
  resyncs = 0;
  #unacknowledged = new Set<string>();
  #unanswered = new Set<string>();
  #cursor = 0;
  #epoch: string | undefined;
  #made = 0;
  #isSending = true;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(
    readonly session: string,
    private readonly wsUrl: () => string,
  ) {
    this.#running = this.#run();
  }

  /** Messages that were sent and not acknowledged. */
  get waiting(): number {
    return this.#unacknowledged.size;
  }

  get isSettled(): boolean {
    return this.waiting === 0;
  }

  stopSending(): void {
    this.#isSending = false;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#connection().catch(() => undefined);
      await sleep(10 * TICK_MS);
    }
  }

  async #connection(): Promise<void> {
    const client = await FrameClient.connect(this.wsUrl());
    try {
      const place = { since: this.#cursor, ...(this.#epoch ? { epoch: this.#epoch } : {}) };
      client.send({ type: 'hello', agent_id: 'slow', session_id: this.session, ...place });
      const hello = await client.waitFor({ type: 'hello_ok' });
      const sent = new Set<string>();
      let isClosed = false;
      client.closed.then(() => {
        isClosed = true;
      });
      if (hello.resync_required === true) this.resyncs += 1;
      else this.#epoch = String(hello.epoch);
      for (let read = 0; !isClosed && !this.#isOver; ) {
        for (; read < client.frames.length; read += 1)
          this.#take(client.frames[read] as Frame, sent);
        this.#send(client, sent);
        await sleep(TICK_MS);
      }
    } finally {
      client.cut();
    }
  }

  #take(frame: Frame, sent: Set<string>): void {
    if (frame.type === 'snapshot') {
      const state = Object(frame.state);
      this.#cursor = Number(state.event_cursor);
      this.#epoch = String(state.epoch);
      this.resyncs += 1;
      this.#unanswered.clear();
      sent.clear(); // what was not acknowledged may be lost
      return;
    }
    const event: Frame = frame.type === 'replay' ? Object(Object(frame.event).data) : frame;
    const id = String(event.message_id);
    if (event.type === 'error') sent.delete(id); // sent again at the next tick
    if (event.status === 'accepted' && this.#unacknowledged.delete(id)) {
      this.acknowledged.set(id, String(event.durability ?? 'memory'));
      this.#unanswered.add(id);
    }
    if (event.status === 'final') this.#unanswered.delete(id);
    if (typeof frame.seq !== 'number' || event.duplicate === true) return;
    if (frame.epoch !== undefined) this.#epoch = String(frame.epoch);
    this.#cursor = frame.seq;
    this.places.see(String(this.#epoch), { ...event, seq: frame.seq });
  }

  #send(client: FrameClient, sent: Set<string>): void {
    const isFree = this.#unacknowledged.size + this.#unanswered.size < UNDERWAY_MAX;
    if (this.#isSending && isFree) {
      this.#made += 1;
      this.#unacknowledged.add(`m${this.#made}`);
    }
    for (const id of this.#unacknowledged) {
      if (sent.has(id)) continue;
      sent.add(id);
      client.message(id, { message_id: id });
    }
  }
}
