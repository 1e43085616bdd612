import type { Redis } from 'ioredis';
import type { ConnectionPart } from './clients.js';
import { makeGreeting } from './greeting.js';
import { infoField } from './server-check.js';
import { isReply, refusalOf, StoreFull } from './unavailable.js';

/** How often each connection is looked at. Times are counted in looks: a stalled event loop makes none. */
export const LOOK_MS = 250;
/** A connection that is closed counts as a fault after so many looks (C3: 1 s). */
const CLOSED_LOOKS = 2;
/** One that is silent, or refused what it needs, after 1.5 s: a pause of 1 s changes nothing (C3). */
const FAULT_LOOKS = 6;
/** A silent one is replaced after 3 s. */
const REPLACE_LOOKS = 12;
/** BullMQ ends and opens its blocking connection by itself; one that stays ended is a fault. */
const ENDED_LOOKS = 8;
/** A server that calls itself a replica is left within this time, at random, */
const FIRST_LEAVE_LOOKS = 2;
/** and then again and again after one to two such times, until the address leads to a primary. */
const LEAVE_LOOKS = 4;

/** What keeps a connection from its work. `why` has the words of Redis, or of the socket. */
export type Fault = {
  readonly kind: 'closed' | 'silent' | 'refused';
  readonly why: string;
};

export type ProofOptions = {
  readonly part: ConnectionPart;
  /** So long a healthy connection may keep back an answer, since a call before it blocks. */
  readonly heldMs?: number;
  /** A node can do without it: it is replaced, and counts for nothing. */
  readonly isSpare?: boolean;
  /** Asks for what the work of the connection needs; answers `INFO replication`, or more of INFO. */
  ask(client: Redis): Promise<string>;
};

type Answer = { readonly refused?: string; readonly isReplica: boolean };

/** The proof, again and again, that one connection does its work; it is replaced when it does not. */
export class Proof {
  readonly part: ConnectionPart;
  private seen: Fault | undefined;
  private faultLooks = 0;
  private closedLooks = 0;
  /** Looks at this connection, as it stands since its last connect, without an answer. */
  private quietLooks = 0;
  private leaveIn = -1;
  private isAsking = false;
  /** Counts connects and closes: an answer to what was asked before one proves nothing. */
  private round = 0;
  private answer: Answer | undefined;
  /** What Redis said instead of taking the connection, and what the socket said last. */
  private refusedBy: string | undefined;
  private broken = 'the connection is closed';
  private readonly heldLooks: number;
  private readonly greeting: (told: (words: string | undefined) => void) => void;

  constructor(
    private readonly client: Redis,
    private readonly options: ProofOptions,
  ) {
    this.part = options.part;
    this.heldLooks = Math.ceil((options.heldMs ?? 0) / LOOK_MS);
    this.greeting = makeGreeting(client.options);
    client.on('error', (error: unknown) => this.onError(error));
    const renew = () => {
      this.round += 1;
      this.isAsking = false;
      this.answer = undefined;
      this.quietLooks = 0;
    };
    client.on('connect', renew);
    client.on('close', renew);
    client.on('ready', () => {
      renew();
      this.refusedBy = undefined;
      // What blocks keeps back the next answer: that it shook hands must do until then.
      if (this.heldLooks > 0) this.answer = { isReplica: false };
    });
  }

  /** Why it cannot do its work; undefined while it can, or has only just ceased to. */
  fault(): Fault | undefined {
    if (this.options.isSpare) return undefined;
    const isLasting = this.closedLooks >= CLOSED_LOOKS || this.faultLooks >= FAULT_LOOKS;
    return isLasting ? this.seen : undefined;
  }

  /** Whether it can be used now; else what Redis said instead of taking it, if it said anything. */
  state(): { readonly isReady: boolean; readonly refusedBy: string | undefined } {
    return { isReady: this.client.status === 'ready', refusedBy: this.refusedBy };
  }

  look(): void {
    const seen = this.observe();
    if (seen === 'unknown') return;
    this.seen = seen;
    this.faultLooks = seen ? this.faultLooks + 1 : 0;
    this.closedLooks = seen && this.isClosed() ? this.closedLooks + 1 : 0;
  }

  private isClosed(): boolean {
    return this.client.status !== 'ready' && this.client.status !== 'connect';
  }

  /** What this look finds; `unknown`: the answer is not yet due. */
  private observe(): Fault | undefined | 'unknown' {
    if (this.client.status === 'end' && this.closedLooks === 0 && this.quietLooks < ENDED_LOOKS) {
      this.quietLooks += 1;
      return 'unknown';
    }
    if (this.isClosed()) return this.refusal() ?? { kind: 'closed', why: this.broken };
    const { answer } = this;
    this.answer = undefined;
    if (answer) {
      this.quietLooks = 0;
      this.ask();
      return this.judge(answer);
    }
    if (!this.isAsking) {
      this.ask();
      return 'unknown';
    }
    this.quietLooks += 1;
    const held = this.client.status === 'ready' ? this.heldLooks : 0;
    if (this.quietLooks >= held + REPLACE_LOOKS) this.replace();
    if (this.quietLooks <= held) return 'unknown';
    // One late answer takes back nothing of what Redis said before.
    if (this.seen?.kind === 'refused' && this.quietLooks < held + FAULT_LOOKS) return this.seen;
    return this.refusal() ?? { kind: 'silent', why: 'no answer' };
  }

  private refusal(): Fault | undefined {
    return this.refusedBy === undefined ? undefined : { kind: 'refused', why: this.refusedBy };
  }

  private judge({ refused, isReplica }: Answer): Fault | undefined {
    if (isReplica) this.leave();
    else this.leaveIn = -1;
    return refused === undefined ? undefined : { kind: 'refused', why: refused };
  }

  /** The primary is elsewhere: the same address leads there, sooner or later. */
  private leave(): void {
    if (this.leaveIn < 0) this.leaveIn = Math.random() * FIRST_LEAVE_LOOKS;
    this.leaveIn -= 1;
    if (this.leaveIn > 0) return;
    this.leaveIn = LEAVE_LOOKS * (1 + Math.random());
    this.replace();
  }

  private replace(): void {
    this.quietLooks = 0;
    this.client.disconnect(true);
  }

  private ask(): void {
    // While it shakes hands INFO is answered too, also by a Redis that loads its data.
    const asked =
      this.client.status === 'connect'
        ? this.client.info('persistence')
        : this.options.ask(this.client);
    this.isAsking = true;
    const { round } = this;
    const ofThisRound = <T>(settle: (settled: T) => void) => {
      return (settled: T) => {
        if (round !== this.round) return;
        this.isAsking = false;
        settle(settled);
      };
    };
    asked.then(
      ofThisRound((info: string) => this.answered(info)),
      ofThisRound((error: unknown) => this.failed(error)),
    );
  }

  private answered(info: string): void {
    if (infoField(info, 'loading') === '1') {
      this.answer = { refused: 'LOADING Redis is loading its data', isReplica: false };
    } else if (infoField(info, 'role') === 'slave') {
      this.answer = { refused: 'READONLY this Redis calls itself a replica', isReplica: true };
    } else {
      this.answer = { isReplica: false };
    }
  }

  private failed(error: unknown): void {
    const refusal = refusalOf(error);
    // Full is not broken: running turns commit, and what is new is refused by itself (C3).
    if (refusal instanceof StoreFull) this.answer = { isReplica: false };
    else if (refusal) {
      const isReplica = /^(READONLY|MASTERDOWN)/.test(refusal.message);
      this.answer = { refused: firstLine(refusal.message), isReplica };
    } else if (isReply(error))
      this.answer = { refused: firstLine(error.message), isReplica: false };
    // Else no answer came: silence goes on, or the connection is closed.
  }

  private onError(error: unknown): void {
    if (isReply(error)) {
      this.refusedBy = firstLine(error.message);
      return;
    }
    if (error instanceof Error) this.broken = error.message;
    // With all places taken Redis says so and closes: our own first bytes meet a closed socket.
    if (/EPIPE|ECONNRESET/.test(this.broken)) {
      this.greeting((words) => {
        this.refusedBy = words;
      });
    } else this.refusedBy = undefined;
  }
}

/** Without the place in the script, and whatever else Redis adds. */
const firstLine = (words: string) => (words.split(/\r?\n| script: /)[0] ?? '').slice(0, 200);
