import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { type Frame, objectOf, textOf } from '../api/frame.js';

/** What all connections saw together. */
export class Tally {
  readonly ackUs: RecordableHistogram = createHistogram();
  readonly replyUs: RecordableHistogram = createHistogram();
  sent = 0;
  acknowledged = 0;
  finished = 0;
  doubled = 0;
  reordered = 0;
  reconnects = 0;
  deltas = 0;
  lastFinalMs = 0;
  readonly errors: Record<string, number> = {};
  readonly outcomes: Record<string, number> = {};

  error(code: string): void {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}

type Sent = { readonly dueMs: number; isAcknowledged: boolean };

/** Messages of one session without outcome; checks that each outcome comes once and in order. */
export class Outstanding {
  readonly #sent = new Map<string, Sent>();
  /** Acknowledged and not finished, in the order of acceptance. */
  readonly #accepted: string[] = [];
  readonly #finished = new Set<string>();
  /** How many the gateway has refused. */
  refused = 0;

  constructor(readonly tally: Tally) {}

  get count(): number {
    return this.#sent.size;
  }

  /** Acknowledged, without outcome. */
  get unfinished(): number {
    return this.#accepted.length;
  }

  /** Neither acknowledged nor refused: to be sent again on a new connection. */
  unacknowledged(): string[] {
    return [...this.#sent].filter(([, it]) => !it.isAcknowledged).map(([id]) => id);
  }

  add(id: string, dueMs: number): void {
    this.tally.sent += 1;
    this.#sent.set(id, { dueMs, isAcknowledged: false });
  }

  /** One frame of the session, live or replayed. */
  receive(frame: Frame, nowMs: number): void {
    const id = textOf(frame, 'message_id');
    if (frame.status === 'accepted') this.#onAccepted(id, nowMs);
    else if (frame.status === 'final') this.#onFinal(id, frame, nowMs);
    else if (frame.type === 'error') this.#onError(id, textOf(frame, 'code'));
    else if (frame.type === 'token_stream') this.tally.deltas += 1;
  }

  #onAccepted(id: string, nowMs: number): void {
    const sent = this.#sent.get(id);
    if (!sent || sent.isAcknowledged) return;
    sent.isAcknowledged = true;
    this.tally.acknowledged += 1;
    this.#accepted.push(id);
    record(this.tally.ackUs, nowMs - sent.dueMs);
  }

  #onFinal(id: string, frame: Frame, nowMs: number): void {
    if (this.#finished.has(id)) {
      // A message that was sent again gets its outcome again, marked as duplicate.
      if (frame.duplicate !== true) this.tally.doubled += 1;
      return;
    }
    const sent = this.#sent.get(id);
    if (!sent) return;
    this.#onAccepted(id, nowMs);
    const place = this.#accepted.indexOf(id);
    if (place > 0) this.tally.reordered += 1;
    this.#accepted.splice(place, 1);
    this.#sent.delete(id);
    this.#finished.add(id);
    const { outcomes } = this.tally;
    const status = textOf(objectOf(frame, 'outcome'), 'status');
    outcomes[status] = (outcomes[status] ?? 0) + 1;
    this.tally.finished += 1;
    this.tally.lastFinalMs = nowMs;
    record(this.tally.replyUs, nowMs - sent.dueMs);
  }

  #onError(id: string, code: string): void {
    this.tally.error(code);
    this.refused += 1;
    if (this.#sent.get(id)?.isAcknowledged === false) this.#sent.delete(id);
  }
}

/** Records whole microseconds, at least 1: a histogram accepts no 0. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1_000)));
}
