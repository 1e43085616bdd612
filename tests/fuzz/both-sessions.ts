import { agree, agreeOn } from './agree.js';
import { callMany } from './many-leases.js';
import type { ModelLimits } from './model-base.js';
import { type RealKnown, type RealLease, type RealOptions, RealSession } from './real-session.js';
import {
  type Answer,
  HEARING_NODE,
  type Known,
  type Mode,
  modelLimits,
  type Presented,
  SessionModel,
} from './session-model.js';
import type { Step } from './steps.js';

/** What a node believes to hold; Redis may know better. */
type Holding = {
  readonly real: RealLease;
  readonly model: Presented;
  turnId: string;
  deltas: number;
};

type Aborting = { readonly call: string; readonly target?: string | undefined };
type Appending = {
  readonly id: string;
  readonly mode: Mode;
  readonly call?: string;
  readonly turnId?: string;
};

/** A change of a pause, with the number that its caller has read before. */
type Pausing = { readonly on: boolean; readonly model: Known; readonly real: RealKnown };

type Fences = { readonly real: number; readonly model: number };

type Node = {
  readonly name: string;
  /** Fences that the last peek read, or that a ring carried. */
  peeked: Fences | undefined;
  holding: Holding | undefined;
};

/** A session of a real Redis beside its model: each call goes to both, and both must agree. */
export class BothSessions {
  readonly model: SessionModel;
  readonly real: RealSession;
  readonly #nodes: readonly Node[] = [HEARING_NODE, 'n1'].map((name) => ({
    name,
    peeked: undefined,
    holding: undefined,
  }));
  readonly #messages: string[] = [];
  #lastAppend: Appending | undefined;
  /** Fences of the last ring that carried any. */
  #rung: Fences | undefined;
  #lastAbort: Aborting | undefined;
  #lastEnd: string | undefined;
  #lastPause: Pausing | undefined;
  #made = 0;
  #readTo = 0;

  constructor(options: RealOptions, { id, ...limits }: { id: string } & ModelLimits) {
    this.model = new SessionModel(limits);
    this.real = new RealSession(options, id, limits);
  }

  #name(of: string): string {
    this.#made += 1;
    return `${of}${this.#made}`;
  }

  /** Messages in the inbox. */
  get waiting(): number {
    return this.model.s.inbox.length;
  }

  /** Throws an error that names what differs. */
  async run(step: Step): Promise<void> {
    await this.#do(step);
    await this.#compare();
  }

  async #do(step: Step): Promise<void> {
    const { model, real } = this;
    switch (step.kind) {
      case 'attach': {
        const connection = this.#name('c');
        const before = model.s;
        await this.#both(
          step,
          () => model.attach(),
          () => real.attach(connection),
        );
        if (model.s !== before) this.#readTo = 0;
        return;
      }
      case 'append': {
        const id = this.#name('m');
        this.#messages.push(id);
        return this.#append(step, { id, mode: step.mode });
      }
      case 'again': {
        const id = this.#messages[step.which % Math.max(1, this.#messages.length)];
        if (id === undefined) return;
        return this.#append(step, { id, mode: 'enqueue' });
      }
      case 'burst': {
        for (let n = 0; n <= modelLimits.batchMax; n++) {
          const id = this.#name('m');
          this.#messages.push(id);
          await this.#append(step, { id, mode: 'collect' });
        }
        return;
      }
      case 'late_append':
        return this.#lastAppend && this.#append(step, this.#lastAppend);
      case 'cancel': {
        const id = this.#messages.at(step.which % Math.max(1, this.#messages.length)) ?? 'unknown';
        return this.#both(
          step,
          () => model.cancel(id),
          () => real.cancel(id),
        );
      }
      case 'abort':
        return this.#abort(step, { call: this.#name('call') });
      case 'stop': {
        const target = this.#messages[step.which % Math.max(1, this.#messages.length)] ?? 'unknown';
        return this.#abort(step, { call: this.#name('call'), target });
      }
      case 'late_abort':
        return this.#lastAbort && this.#abort(step, this.#lastAbort);
      case 'end': {
        this.#lastEnd = this.#name('call');
        return this.#end(step, this.#lastEnd);
      }
      case 'late_end':
        return this.#lastEnd === undefined ? undefined : this.#end(step, this.#lastEnd);
      case 'pause': {
        const { s } = model;
        const known = { model: { s, pauses: s.pauses }, real: await real.pauseKnown() };
        this.#lastPause = { on: step.on, ...known };
        return this.#pause(step, this.#lastPause);
      }
      case 'late_pause':
        return this.#lastPause && this.#pause(step, this.#lastPause);
      case 'copy': {
        const number = model.agentPauses + (step.old ? -1 : 1);
        return this.#both(
          step,
          () => model.copyPause(number),
          () => real.copyPause(number),
        );
      }
      case 'sweep':
      case 'draw': {
        const { kind } = step;
        const call = this.#name('call');
        if (kind === 'sweep') await real.expectSweep();
        return this.#both(
          step,
          () => model[kind](call),
          () => real[kind](call),
        );
      }
      case 'renew_many':
      case 'release_many': {
        const held = this.#nodes.flatMap(({ holding }) => holding ?? []);
        return this.#both(step, ...callMany(step.kind, this, held));
      }
      case 'touch':
        return this.#both(
          step,
          () => model.touch(),
          () => real.touch(),
        );
      case 'expire':
        model.expire();
        return real.expire();
      case 'ripen':
        model.ripen();
        return real.ripen();
      default:
        return this.#hold(step);
    }
  }

  async #append(step: Step, appending: Appending): Promise<void> {
    const { model, real } = this;
    const { id, mode, call = this.#name('call'), turnId = this.#name('t') } = appending;
    this.#lastAppend = { id, mode, call, turnId };
    const fences: (number | undefined)[] = [];
    const { word, ring } = await this.#answers(
      step,
      () => model.append(id, { mode, call, turnId }),
      async () => {
        const { answer, ringFence } = await real.append(id, { mode, call, turnId });
        fences.push(ringFence);
        return answer;
      },
    );
    const [ringFence] = fences; // a repeat carries none
    if (ringFence !== undefined) this.#rung = { real: ringFence, model: model.s.fence };
    if (appending.call !== undefined) return;
    const isFree = word === 'accepted' && ring !== '' && model.s.started === 0;
    agree('its ring', { word: String(isFree) }, { word: String(ringFence !== undefined) });
  }

  #abort(step: Step, { call, target }: Aborting): Promise<void> {
    this.#lastAbort = { call, target };
    return this.#both(
      step,
      () => this.model.abort(call, target),
      () => this.real.abort(call, target),
    );
  }

  #pause(step: Step, { on, model, real }: Pausing): Promise<void> {
    return this.#both(
      step,
      () => this.model.pause(on, model),
      () => this.real.pause(on, real),
    );
  }

  /** Ends the pauses of the session and of its agent. */
  async resume(): Promise<void> {
    await this.run({ kind: 'pause', on: false, twice: false });
    if (this.model.agentPauses % 2 === 1)
      await this.run({ kind: 'copy', old: false, twice: false });
  }

  #end(step: Step, call: string): Promise<void> {
    return this.#both(
      step,
      () => this.model.end(call),
      () => this.real.end(call),
    );
  }

  /** Calls of a node: for a lease, or under one that it may have lost long ago. */
  async #hold(step: Extract<Step, { readonly node: number }>): Promise<void> {
    const node = this.#nodes[step.node] as Node;
    const { model, real } = this;
    if (step.kind === 'take' || step.kind === 'peek') await this.#peek(node);
    if (step.kind === 'hear') node.peeked = this.#rung;
    if (['take', 'begin', 'hear'].includes(step.kind)) return this.#begin(step, node);
    if (step.kind === 'peek') return;
    const { holding } = node;
    if (!holding) return;
    const { turnId } = holding;
    switch (step.kind) {
      case 'rebegin': {
        const turn = { node: node.name, turnId: this.#name('t') };
        const answer = await this.#answers(
          step,
          () => model.begin(holding.model, turn),
          async () => (await real.begin(holding.real, { ...turn, ring: '' })).answer,
        );
        if (answer.word === 'begun' || answer.word === 'exhausted') goOnWith(holding, answer);
        return;
      }
      case 'delta': {
        holding.deltas += 1;
        const number = holding.deltas;
        return this.#both(
          step,
          () => model.delta(holding.model, { turnId, number }),
          () => real.delta(holding.real, { turnId, number }),
        );
      }
      case 'commit': {
        const turn = { turnId, next: this.#name('t'), fetch: step.fetch };
        const answer = await this.#answers(
          step,
          () => model.commit(holding.model, turn),
          () => real.commit(holding.real, turn),
        );
        if (answer.word === 'next') goOnWith(holding, answer);
        return;
      }
      case 'retry': {
        const { how, isLate } = step;
        return this.#both(
          step,
          () => model.retry(holding.model, { turnId, how, isLate }),
          () => real.retry(holding.real, { turnId, how, isLate }),
        );
      }
      case 'release':
        return this.#both(
          step,
          () => model.release(holding.model, step.how),
          () => real.release(holding.real, step.how, node.name),
        );
      case 'renew':
        return this.#both(
          step,
          () => model.renew(holding.model),
          () => real.renew(holding.real),
        );
    }
  }

  async #peek(node: Node): Promise<void> {
    const { answer, fence } = await this.real.peek();
    agree('peek', this.model.peek(), answer);
    const { s } = this.model;
    node.peeked = answer.word === 'free' ? { real: fence, model: s.fence } : undefined;
  }

  /** Takes the Redlock, then calls `turn-begin`, with the fence of a peek that may be old. */
  async #begin(step: Step, node: Node): Promise<void> {
    const { model, real } = this;
    const { peeked } = node;
    if (!peeked) return;
    node.peeked = undefined;
    const token = this.#name('token');
    const isTaken = !(await real.acquire(token));
    agree('acquire', { word: String(!model.acquire(token)) }, { word: String(isTaken) });
    if (isTaken) return;
    const turn = { node: node.name, turnId: this.#name('t') };
    const ring = String(model.s.ringMark ?? '');
    let drawn = 0;
    const answer = await this.#answers(
      step,
      () => model.begin({ token, fence: peeked.model }, turn),
      async () => {
        const begun = await real.begin({ token, fence: peeked.real }, { ...turn, ring });
        drawn = begun.fence;
        return begun.answer;
      },
    );
    if (answer.word !== 'begun' && answer.word !== 'exhausted') {
      if (model.s.leaseKey === token) model.s.leaseKey = undefined;
      return real.abandon(token);
    }
    if (drawn <= peeked.real) throw new Error(`L2: fence ${drawn} behind ${peeked.real}`);
    const lease = { real: { token, fence: drawn }, model: { token, fence: model.s.fence } };
    node.holding = { ...lease, turnId: turn.turnId, deltas: 0 };
  }

  async #both(step: Step, foretell: () => Answer, call: () => Promise<Answer>): Promise<void> {
    await this.#answers(step, foretell, call);
  }

  /** The answer, the same from both, also when the call is sent again. */
  async #answers(
    { kind, twice }: Step,
    foretell: () => Answer,
    call: () => Promise<Answer>,
  ): Promise<Answer> {
    const answer = foretell();
    agree(kind, answer, await call());
    if (twice) {
      agree(`the model of ${kind}, again`, answer, foretell());
      agree(`${kind}, again`, answer, await call());
    }
    return answer;
  }

  async #compare(): Promise<void> {
    const { s } = this.model;
    const { events, inbox, started, attempt, abort, holder, leaseKey, isEnded } = s;
    const seen = await this.real.look();
    const { history } = this.model;
    if (seen.low < history.low) throw new Error(`the log begins at ${seen.low} again`);
    history.low = seen.low;
    agreeOn('the session', seen, {
      cursor: events.length,
      started,
      attempt: started > 0 ? attempt : 0,
      abort,
      holder,
      leaseKey,
      inbox: inbox.map(({ id }) => id),
      seen: [...(isEnded ? [] : this.model.s.seen.keys())].sort(),
      isListed: !isEnded,
      expires: inbox.length === 0 && s.token === undefined,
      events: events.slice(Math.max(this.#readTo, seen.low - 1)),
      low: seen.low,
      history: history.lines,
    });
    this.#readTo = events.length;
  }
}

/** Goes on with the head of an answer: the one that runs already, or another. */
function goOnWith(holding: Holding, { turnId }: Answer): void {
  if (holding.turnId === turnId) return;
  Object.assign(holding, { turnId, deltas: 0 });
}
