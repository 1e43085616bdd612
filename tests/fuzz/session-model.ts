import { HistoryModel, textOf } from './history-model.js';
import { ModelBase } from './model-base.js';
import {
  type Answer,
  type Answered,
  clearHead,
  type Ended,
  fenced,
  fresh,
  HEARING_NODE,
  type How,
  type Known,
  type Mode,
  modelLimits,
  nextAttempt,
  type Presented,
  startHead,
} from './model-state.js';

export {
  type Answer,
  type Ended,
  HEARING_NODE,
  type How,
  type Known,
  type Mode,
  type ModelEvent,
  modelLimits,
  type Presented,
} from './model-state.js';

/** One session as the rules have it, in plain values: what each script must answer and leave. */
export class SessionModel extends ModelBase {
  private swept: Answered | undefined;

  attach(): Answer {
    if (!this.exists || this.s.isEnded) {
      this.s = fresh();
      this.history = new HistoryModel(this.limits);
    }
    this.exists = true;
    const { events, inbox, started, isLive } = this.s;
    const { isPaused } = this;
    return {
      word: 'attached',
      cursor: events.length,
      pending: inbox.length,
      executing: started > 0 && isLive,
      isPaused,
    };
  }

  append(id: string, { mode, call, turnId }: { mode: Mode; call: string; turnId: string }): Answer {
    const { s } = this;
    if (!this.exists) return { word: 'gone' };
    if (s.accepted?.call === call && this.history.holds(s.accepted.answer.seq)) {
      return { ...s.accepted.answer, isPaused: this.isPaused };
    }
    if (s.isEnded) return { word: 'ended' };
    const outcome = s.seen.get(id);
    if (outcome !== undefined) {
      const ring = outcome === '' && !this.hasLiveHolder ? (s.ringMark ?? '') : '';
      return { word: 'duplicate', ring: String(ring), outcome: this.history.repeated(id) };
    }
    if (mode === 'reject' && s.inbox.length > 0) return { word: 'busy' };
    let position = s.inbox.length;
    if (mode === 'interrupt') {
      position = s.started;
      while (s.inbox[position]?.mode === 'interrupt') position += 1;
    }
    if (s.inbox.length >= this.limits.maxInbox) return { word: 'full' };
    s.inbox.splice(position, 0, { id, mode, position });
    s.seen.set(id, '');
    s.events.push(['a', id]);
    const seq = s.events.length;
    const answer = { word: 'accepted', seq, position, ring: this.announce(mode, turnId) };
    s.accepted = { call, answer };
    return { ...answer, isPaused: this.isPaused };
  }

  /** Announces a new message: returns the ring to add, '' for none; a lingering holder's turn begins. */
  private announce(mode: Mode, turnId: string): string {
    const { s } = this;
    const waited = this.waits;
    if (s.started > 0 && mode === 'interrupt') s.abort ||= 'interrupt';
    if (this.hasLiveHolder && s.started > 0) return '';
    if (this.hasLiveHolder) {
      if (s.holder === HEARING_NODE) {
        const begins = s.inbox.length === 1 && !this.isPaused && s.lastTurn !== undefined;
        if (begins) startHead(s, turnId);
        return '';
      }
      this.vacate();
      s.leaseKey = undefined;
    }
    const isRung = s.ringMark !== undefined && !(waited && !this.waits);
    return isRung || this.standsStill ? '' : this.drawRing();
  }

  pause(on: boolean, known: Known): Answer {
    const { s } = this;
    if (!this.exists || s.isEnded) return { word: 'not_found' };
    const isSame = known.s === s && known.pauses === s.pauses;
    const turns = isSame && (s.pauses % 2 === 1) !== on;
    if (turns) s.pauses += 1;
    if (on) return { word: 'paused' };
    const isFree = s.inbox.length > 0 && !this.hasLiveHolder && !this.standsStill && !this.waits;
    const ring = isFree ? (turns ? this.drawRing() : String(s.ringMark ?? '')) : '';
    return { word: 'resumed', isPaused: this.isPaused, ring };
  }

  copyPause(number: number): Answer {
    this.agentPauses = Math.max(this.agentPauses, number);
    return { word: 'copied' };
  }

  peek(): Answer {
    if (this.s.inbox.length === 0) return { word: 'none' };
    if (this.hasLiveHolder) return { word: 'held' };
    if (this.standsStill) return { word: 'paused' };
    const isLast = nextAttempt(this.s).word === 'alone';
    return this.waits ? { word: 'waits' } : { word: 'free', isLast };
  }

  /** SET NX of the lease key. */
  acquire(token: string): boolean {
    if (this.s.leaseKey !== undefined) return false;
    this.s.leaseKey = token;
    return true;
  }

  begin(by: Presented, { node, turnId }: { node: string; turnId: string }): Answer {
    const { s } = this;
    if (!this.exists) return { word: 'refused' };
    if (s.token === by.token && s.turnId === turnId) return this.head(s.word);
    if (s.fence !== by.fence || s.isEnded) return { word: 'refused' };
    const isHolding = s.token === by.token;
    if (!isHolding && this.hasLiveHolder) return { word: 'refused' };
    if (s.leaseKey !== by.token) return { word: 'refused' };
    if (isHolding && s.started > 0) return this.head(s.word);
    if (s.inbox.length === 0) return { word: 'empty' };
    if (this.standsStill || this.waits) return { word: 'refused' };
    if (!isHolding) s.fence += 1;
    const isAgain = s.started > 0;
    if (isAgain) Object.assign(s, nextAttempt(s), { turnId, delta: 0 });
    else startHead(s, turnId);
    Object.assign(s, { token: by.token, holder: node, isLive: true });
    Object.assign(s, { isHanded: false, retry: 'none' });
    if (!isHolding) s.ringMark = undefined; // a retry answers no ring
    if (isAgain && s.word !== 'exhausted') s.events.push(['r', this.lastOfHead]);
    return this.head(s.word);
  }

  private get lastOfHead(): string {
    return this.s.inbox[this.s.started - 1]?.id ?? '';
  }

  private head(word: string): Answer {
    const { attempt, abort, inbox, started, turnId } = this.s;
    const ids = inbox.slice(0, started).map(({ id }) => id);
    return {
      word: word === 'alone' ? 'begun' : word,
      isAlone: word === 'alone',
      turnId,
      attempt,
      abort,
      ids,
    };
  }

  delta(by: Presented, { turnId, number }: { turnId: string; number: number }): Answer {
    const { s } = this;
    if (!this.holds(by) || s.turnId !== turnId) return fenced;
    if (number > s.delta) {
      s.events.push(['d', 'm']);
      s.delta = number;
    }
    return { word: 'appended', cursor: s.events.length, abort: s.abort };
  }

  commit(
    by: Presented,
    { turnId, next, fetch }: { turnId: string; next: string; fetch: boolean },
  ): Answer {
    const { s } = this;
    if (!this.holds(by)) return fenced;
    if (s.lastTurn === turnId) return this.following();
    if (s.turnId !== turnId || s.started === 0) return fenced;
    const status = s.abort === '' ? 'ok' : 'aborted'; // as it was promised
    const reply = { status, reason: s.abort, text: textOf(turnId) };
    this.finishTurn(s.inbox.splice(0, s.started), reply);
    clearHead(s);
    s.lastTurn = turnId;
    if (s.inbox.length === 0) s.ringMark = undefined;
    else if (fetch && !this.standsStill) {
      startHead(s, next);
    }
    return this.following();
  }

  private following(): Answer {
    if (this.s.started > 0) return this.head('next');
    return { word: this.s.inbox.length === 0 ? 'idle' : 'more' };
  }

  release(by: Presented, how: How): Answer {
    const { s } = this;
    if (!this.holds(by)) return this.hasReleased(by) ? this.releaseAnswer() : fenced;
    const { standsStill } = this;
    const isCut = how === 'force' && s.started > 0;
    if (isCut) {
      s.events.push(['e']);
      s.handOvers += 1;
      s.isHanded = true;
    }
    if (s.started > 0 && how !== 'force') {
      if (s.abort !== '' || s.delta > 0) s.isHanded = true;
      else clearHead(s);
    }
    const ring = s.inbox.length > 0 && !standsStill ? this.drawRing() : '';
    this.giveUp(by, { ring, isHanded: isCut || ring !== '' });
    return this.releaseAnswer();
  }

  /** An attempt ended without an outcome: the head waits, and nobody holds the session. */
  retry(by: Presented, { turnId, how, isLate }: { turnId: string; how: Ended; isLate: boolean }) {
    const { s } = this;
    if (!this.holds(by)) {
      return this.hasReleased(by) ? { word: 'waiting', ring: s.released?.ring } : fenced;
    }
    if (s.turnId !== turnId || s.started === 0) return fenced;
    if (s.abort !== '') return { word: 'aborted', reason: s.abort };
    if (s.word === 'alone' || (how === 'failed' && isLate)) return { word: 'spent' };
    if (how === 'cut') s.cuts += 1;
    s.retry = 'later';
    const ring = this.drawRing();
    this.giveUp(by, { ring, isHanded: true });
    return { word: 'waiting', ring };
  }

  private hasReleased({ token, fence }: Presented): boolean {
    return this.s.released?.token === token && this.s.released.fence === fence;
  }

  private releaseAnswer(): Answer {
    const { released } = this.s;
    return released?.isHanded ? { word: 'handed', ring: released.ring } : { word: 'released' };
  }

  private giveUp(by: Presented, what: { ring: string; isHanded: boolean }): void {
    Object.assign(this.s, { released: { ...by, ...what }, isLive: false });
    this.vacate();
    if (this.s.leaseKey === by.token) this.s.leaseKey = undefined;
  }

  /** The time has come to try the head again. */
  ripen(): void {
    if (this.s.retry === 'later') this.s.retry = 'due';
  }

  renew(by: Presented): Answer {
    if (!this.holds(by)) return fenced;
    this.s.isLive = true;
    return { word: 'renewed', abort: this.s.abort, waits: this.s.inbox.length > 0 };
  }

  /** The time of the lease passes. */
  expire(): void {
    this.s.isLive = false;
    this.s.leaseKey = undefined;
  }

  /** A sweep of the partition: what it answers for this session. */
  sweep(call: string): Answer {
    if (this.swept?.call === call) return this.swept.answer;
    const isFree = this.s.inbox.length > 0 && !this.hasLiveHolder;
    const isDue = isFree && !this.standsStill && !this.waits;
    if (this.s.inbox.length === 0 && !this.s.isLive) this.vacate(); // its holder died idle
    this.swept = { call, answer: { word: 'swept', ring: isDue ? this.drawRing() : '' } };
    return this.swept.answer;
  }

  draw(call: string): Answer {
    const { s } = this;
    if (s.inbox.length === 0) return { word: 'drawn', ring: '' };
    if (s.drawn?.call === call) return s.drawn.answer;
    if (this.standsStill) return { word: 'drawn', ring: '' };
    s.drawn = { call, answer: { word: 'drawn', ring: this.drawRing() } };
    return s.drawn.answer;
  }

  touch(): Answer {
    if (!this.exists || this.s.isEnded) return { word: 'not_found' };
    return { word: this.s.inbox.length > 0 ? 'busy' : 'touched' };
  }

  cancel(id: string): Answer {
    const { s } = this;
    if (!this.exists || s.isEnded) return { word: 'not_found' };
    const at = s.inbox.findIndex((entry, index) => index >= s.started && entry.id === id);
    if (at < 0) {
      return { word: this.history.statusOf(id) === 'cancelled' ? 'cancelled' : 'not_pending' };
    }
    s.inbox.splice(at, 1);
    this.finish(id, { status: 'cancelled', reason: '', text: '' });
    if (s.inbox.length === 0) s.ringMark = undefined;
    return { word: 'cancelled' };
  }

  /** Aborts the message `target`, or the head when that is undefined. */
  abort(call: string, target: string | undefined): Answer {
    const { s } = this;
    const answered = s.aborts.find((abort) => abort.call === call);
    if (this.exists && answered) return answered.answer;
    if (!this.exists || s.isEnded) return { word: 'not_found' };
    const answer = this.stop(target);
    s.aborts = [{ call, answer }, ...s.aborts].slice(0, modelLimits.abortsKept);
    return answer;
  }

  private stop(target: string | undefined): Answer {
    const { s } = this;
    const at = target === undefined ? 0 : s.inbox.findIndex(({ id }) => id === target);
    const id = target ?? s.inbox[Math.max(s.started, 1) - 1]?.id ?? '';
    if (s.inbox[at] === undefined) {
      const outcome = s.seen.get(id);
      if (id === '' || outcome === undefined)
        return { word: id ? 'unknown' : 'idle', id, ring: '' };
      const isAborted = this.history.statusOf(id) === 'aborted';
      return { word: isAborted ? 'aborted' : 'ended', id, ring: '' };
    }
    const isBegun = at < s.started;
    if (isBegun && this.hasLiveHolder) {
      s.abort ||= 'user';
      return { word: 'aborting', id, ring: '' };
    }
    const stopped = isBegun ? s.inbox.splice(0, s.started) : s.inbox.splice(at, 1);
    const reason = (isBegun && s.abort) || 'user'; // what was promised first
    this.finishTurn(stopped, { status: 'aborted', reason, text: '' });
    if (isBegun) {
      clearHead(s);
      this.vacate();
    }
    if (s.inbox.length === 0) s.ringMark = undefined;
    const isDue = isBegun && s.inbox.length > 0 && !this.standsStill;
    return { word: 'aborted', id, ring: isDue ? this.drawRing() : '' };
  }

  end(call: string): Answer {
    const { s } = this;
    if (this.ends.has(call)) return { word: 'ended' };
    if (!this.exists || s.isEnded) return { word: 'not_found' };
    this.ends.add(call);
    for (const [at, { id }] of s.inbox.entries()) {
      const status = at < s.started ? 'aborted' : 'cancelled';
      this.finish(id, { status, reason: 'session_ended', text: '' });
    }
    s.events.push(['e']);
    this.history.clear();
    Object.assign(s, { isEnded: true, inbox: [], started: 0, turnId: undefined, abort: '' });
    Object.assign(s, { ringMark: undefined, leaseKey: undefined });
    this.vacate();
    return { word: 'ended' };
  }
}
