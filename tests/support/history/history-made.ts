import type { EventFrame, History, Mode, SessionEnd, Turn, View } from '@sluice/testkit';

/** What happens next in a session. */
export type Step = 'enqueue' | 'interrupt' | 'work' | 'drain';

export const LEASE_TTL_MS = 3_000;

/** `cut`: the live client's view is split into two connections after this number of frames. */
export type Plan = { readonly steps: readonly Step[]; readonly cut: number };

type Waiting = { readonly id: string; readonly mode: Mode };

/** One session as a correct cluster would run it. */
class Play {
  readonly events: EventFrame[] = [];
  readonly sent: History['sent'][number][] = [];
  readonly acknowledged: History['acknowledged'][number][] = [];
  readonly turns: Turn[] = [];
  readonly ends: SessionEnd[] = [];
  readonly forcedCloses: History['forcedCloses'][number][] = [];
  #waiting: Waiting[] = [];
  #attempt = 0;
  #fence = 1;
  #nowMs = 0;

  constructor(readonly session: string) {}

  step(step: Step): void {
    this.#nowMs += 10;
    if (step === 'work') this.#work();
    else if (step === 'drain') this.#drain();
    else this.#send(step);
  }

  finish(): void {
    while (this.#waiting.length > 0) this.#work();
  }

  #log(type: string, fields: Partial<EventFrame>): number {
    const seq = this.events.length + 1;
    this.events.push({ kind: 'event', seq, skipped: 0, replay: false, type, ...fields });
    return seq;
  }

  #send(mode: 'enqueue' | 'interrupt'): void {
    const messageId = `m${this.sent.length + 1}`;
    const { session } = this;
    const atMs = this.#nowMs;
    this.sent.push({ session, messageId, mode, atMs });
    // After the started head and the interrupts that follow it.
    const others = this.#waiting.findIndex(
      (one, at) => one.mode !== 'interrupt' && !(at === 0 && this.#attempt > 0),
    );
    const position = mode === 'enqueue' || others < 0 ? this.#waiting.length : others;
    this.#waiting.splice(position, 0, { id: messageId, mode });
    const seq = this.#log('response', { status: 'accepted', messageId });
    this.acknowledged.push({ session, messageId, seq, position, mode, atMs });
  }

  /** Runs a whole turn, which may be the attempt after a cut one. */
  #work(): void {
    const head = this.#waiting[0];
    if (!head) return;
    const text = `reply to ${head.id}`;
    const turnId = this.#begin(head.id, false);
    for (const part of [text.slice(0, 5), text.slice(5)]) {
      this.#log('token_stream', { messageId: head.id, turnId, text: part });
    }
    this.#log('response', { status: 'final', messageId: head.id, turnId, outcome: 'ok', text });
    this.#waiting.shift();
    this.#attempt = 0;
  }

  #drain(): void {
    const head = this.#waiting[0];
    if (!head) return;
    const turnId = this.#begin(head.id, true);
    this.#log('token_stream', { messageId: head.id, turnId, text: 'part' });
    const { session } = this;
    const fence = this.#fence;
    const cursor = this.#log('session_end', {});
    const eventId = `p.${session}:${fence}:${cursor}`;
    // Records are delivered at least once: the stream may have one twice.
    const end = { session, eventId, fence, reasonCode: 'drain_timeout', atMs: this.#nowMs };
    this.ends.push(end, end);
    this.forcedCloses.push({ session, fence, node: `n${fence}`, atMs: this.#nowMs });
    this.#fence += 1;
  }

  #begin(messageId: string, closedByPeer: boolean): string {
    this.#attempt += 1;
    const turnId = `${messageId}.${this.#attempt}`;
    if (this.#attempt > 1) this.#log('retry_stream', { messageId, turnId });
    const startMs = this.#nowMs;
    this.#nowMs += 300;
    const { session } = this;
    this.turns.push({
      ...{ session, messageId, turnId, attempt: this.#attempt, fence: this.#fence },
      ...{ node: `n${this.#fence}`, startMs, endMs: this.#nowMs, closedByPeer },
    });
    return turnId;
  }
}

/** The views of a client that lost its connection once, and of one that came at the end. */
function viewsOf({ session, events }: Play, cut: number): View[] {
  const at = Math.min(cut, events.length);
  const epoch = '1795384129742000';
  const view = (client: string, since: number, frames: View['frames']): View => ({
    ...{ session, client, connection: `${session}-${client}-${since}`, since, epoch, frames },
  });
  const replay = events.map((event) => ({ ...event, replay: true }));
  return [
    view('live', 0, events.slice(0, at)),
    view('live', at, events.slice(at)),
    view('late', 0, replay),
  ];
}

/** A history without a fault. */
export function madeHistory(plans: readonly Plan[]): History {
  const plays = plans.map(({ steps, cut }, index) => {
    const play = new Play(`s${index + 1}`);
    for (const step of steps) play.step(step);
    play.finish();
    return { play, views: viewsOf(play, cut) };
  });
  return {
    leaseTtlMs: LEASE_TTL_MS,
    cuttings: [],
    handOvers: [],
    sent: plays.flatMap(({ play }) => play.sent),
    acknowledged: plays.flatMap(({ play }) => play.acknowledged),
    views: plays.flatMap(({ views }) => views),
    turns: plays.flatMap(({ play }) => play.turns),
    faults: [],
    ends: plays.flatMap(({ play }) => play.ends),
    forcedCloses: plays.flatMap(({ play }) => play.forcedCloses),
  };
}
