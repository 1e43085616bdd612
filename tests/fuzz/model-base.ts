import { type HistoryLimits, HistoryModel, type ModelReply } from './history-model.js';
import { type Entry, fresh, type Presented } from './model-state.js';

export type ModelLimits = HistoryLimits & { readonly maxInbox: number };

/** A session at a moment, and what several of its calls have in common. */
export class ModelBase {
  exists = false;
  s = fresh();
  /** Calls that ended a session under this id. */
  readonly ends = new Set<string>();
  /** Pauses of the agent and their ends: odd while one holds. They outlive the session. */
  agentPauses = 0;
  history: HistoryModel;

  constructor(readonly limits: ModelLimits) {
    this.history = new HistoryModel(limits);
  }

  get isPaused(): boolean {
    return this.s.pauses % 2 === 1 || this.agentPauses % 2 === 1;
  }

  /** No turn may begin; a head with a promised abort may. */
  protected get standsStill(): boolean {
    return this.isPaused && (this.s.started === 0 || this.s.abort === '');
  }

  /** The head is tried again later; an abort ends the wait. */
  protected get waits(): boolean {
    return this.s.started > 0 && this.s.abort === '' && this.s.retry === 'later';
  }

  protected drawRing(): string {
    this.s.ring += 1;
    this.s.ringMark = this.s.ring;
    return String(this.s.ring);
  }

  protected get hasLiveHolder(): boolean {
    return this.s.holder !== undefined && this.s.isLive;
  }

  protected vacate(): void {
    this.s.holder = undefined;
    this.s.token = undefined;
  }

  protected holds({ token, fence }: Presented): boolean {
    return this.s.token === token && this.s.fence === fence;
  }

  /** `text`: that of the last one, which stands for all. */
  protected finishTurn(entries: readonly Entry[], { status, reason, text }: ModelReply): void {
    for (const [at, { id }] of entries.entries()) {
      this.finish(id, { status, reason, text: at + 1 === entries.length ? text : '' });
    }
    this.history.turn(entries, { status, text, reason });
  }

  protected finish(id: string, { status, reason, text }: ModelReply): void {
    this.s.seen.set(id, status);
    this.s.events.push(['f', id, status, reason]);
    this.history.ended(id, { seq: this.s.events.length, status, text });
  }
}
