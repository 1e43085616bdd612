import { sleep, within } from '@sluice/runtime';
import type { Attach, AttachOptions, Connection } from './connection.js';
import type { Faults } from './faults.js';
import type { Latencies } from './latencies.js';

/** Longest time for the replies to what was sent; then the measurement fails. */
const LIMIT_MS = 180_000;

type Sent = { readonly dueMs: number; readonly latencies: Latencies | undefined };

/** One session that talks; replies come in the order of its messages. */
export class Talker {
  /** Records the latencies of messages that are sent from now on. */
  latencies: Latencies | undefined;
  replies = 0;
  lastReplyMs = 0;
  #connection: Connection | undefined;
  readonly #sent: Sent[] = [];
  #onReply: (() => void) | undefined;

  static async attach(
    attach: Attach,
    faults: Faults,
    options: AttachOptions = {},
  ): Promise<Talker> {
    const talker = new Talker();
    talker.#connection = await attach(options, {
      onFinal: () => talker.#receive(),
      onFault: faults.add,
    });
    return talker;
  }

  /** Messages without a reply. */
  get waiting(): number {
    return this.#sent.length;
  }

  /** Latency counts from when the message was due, not from when it could be sent. */
  send(content: string, dueMs = performance.now()): void {
    this.#sent.push({ dueMs, latencies: this.latencies });
    this.#connection?.send(content);
  }

  /** Sends `count` messages, each when the reply to the last has come. */
  serial(count: number, content = 'x'): Promise<void> {
    return this.#inTime(this.#oneByOne(count, content));
  }

  /** Sends `count` messages at once; resolves when all have replies. */
  pipelined(count: number): Promise<void> {
    const send = () => {
      for (let index = 0; index < count; index += 1) this.send('x');
    };
    return this.#inTime(this.#replied(count, send));
  }

  cut(): void {
    this.#connection?.cut();
  }

  async #oneByOne(count: number, content: string): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await this.#replied(1, () => this.send(content));
    }
  }

  async #inTime(replied: Promise<void>): Promise<void> {
    const isDone = await within(
      replied.then(() => true),
      LIMIT_MS,
    );
    if (!isDone) throw new Error(`${this.waiting} replies did not come in ${LIMIT_MS / 1_000} s`);
  }

  #replied(count: number, send: () => void): Promise<void> {
    if (count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const enough = this.replies + count;
      this.#onReply = () => {
        if (this.replies >= enough) resolve();
      };
      send();
    });
  }

  #receive(): void {
    const sent = this.#sent.shift();
    // A replayed reply: nobody waits for it.
    if (!sent) return;
    this.replies += 1;
    this.lastReplyMs = performance.now();
    sent.latencies?.record(this.lastReplyMs - sent.dueMs);
    this.#onReply?.();
  }
}

/** Waits for the missing replies, at most `ms`; returns how many did not come. */
export async function settle(talkers: readonly Talker[], ms: number): Promise<number> {
  const deadline = performance.now() + ms;
  const unanswered = () => talkers.reduce((sum, { waiting }) => sum + waiting, 0);
  while (unanswered() > 0 && performance.now() < deadline) await sleep(10);
  return unanswered();
}
