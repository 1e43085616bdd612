import { monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { placeOf } from '../primary/place.js';
import { plainWords } from '../primary/sentinel.js';
import { infoField } from '../server/server-info.js';
import { tlsAlert } from '../server/tls-alert.js';
import type { ConnectionPart } from './clients.js';
import { makeGreeting } from './greeting.js';
import { isReply, refusalOf, StoreFull } from './unavailable.js';

/** How often each connection is looked at. Times are counted in looks, since a stalled event loop makes none. */
export const LOOK_MS = 250;
/** A closed connection counts as a fault after this many looks (C3: 1 s). */
const CLOSED_LOOKS = 2;
/** A connection that is silent, or refused what it needs, after this many: a pause of 1 s changes nothing (C3). */
const FAULT_LOOKS = 6;
/** A silent one is replaced after 3 s. */
const REPLACE_LOOKS = 12;
/** BullMQ ends and opens its blocking connection by itself; one that stays ended is a fault. */
const ENDED_LOOKS = 8;
/** When a server calls itself a replica, the connection is replaced within this time, at random, */
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
  /** How long an answer on a healthy connection may be late, because a call before it blocks. */
  readonly heldMs?: number;
  /** A node can do without it: it is replaced when it fails, but is never a fault. */
  readonly isSpare?: boolean;
  /** Makes the calls that its work needs; resolves with `INFO replication`, more of INFO, or '' to judge nothing. */
  ask(client: Redis): Promise<string>;
};

type Answer = { readonly refused?: string; readonly isReplica: boolean };

/** Checks again and again that one connection does its work, and replaces it when it does not. */
export class Proof {
  readonly part: ConnectionPart;
  /** When it was connected last, and when it was lost after it had been accepted; by the monotonic clock, 0: never. */
  openedMs = 0;
  lostMs = 0;
  private isAccepted = false;
  private seen: Fault | undefined;
  private faultLooks = 0;
  private closedLooks = 0;
  /** Looks in a row without an answer, since the last connect or close. */
  private quietLooks = 0;
  private leaveIn = -1;
  private isAsking = false;
  /** The last call ended by its own timeout: the silence goes on, and is counted on. */
  private isTimedOut = false;
  /** Counts connects and closes: an answer to a call of an earlier round proves nothing. */
  private round = 0;
  private answer: Answer | undefined;
  /** What Redis said instead of accepting the connection. */
  private refusedBy: string | undefined;
  /** What the socket said last. */
  private broken = 'the connection is closed';
  private readonly heldLooks: number;
  private readonly greeting: ReturnType<typeof makeGreeting>;

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
      this.isTimedOut = false;
      this.answer = undefined;
      this.quietLooks = 0;
    };
    client.on('connect', () => {
      this.openedMs = monotonicMs();
      renew();
    });
    client.on('close', () => {
      if (this.isAccepted) this.lostMs = monotonicMs();
      this.isAccepted = false;
      renew();
    });
    client.on('ready', () => {
      this.isAccepted = true;
      renew();
      this.refusedBy = undefined;
      // A call that blocks delays the next answer: until then the handshake must do.
      if (this.heldLooks > 0) this.answer = { isReplica: false };
    });
  }

  /** Why it cannot do its work; undefined: it can, or has failed only just now. */
  fault(): Fault | undefined {
    if (this.options.isSpare) return undefined;
    const isLasting = this.closedLooks >= CLOSED_LOOKS || this.faultLooks >= FAULT_LOOKS;
    return isLasting ? this.seen : undefined;
  }

  /** Whether it can be used now; else what Redis said instead of taking it, if it said anything. */
  state(): { readonly isReady: boolean; readonly refusedBy: string | undefined } {
    return { isReady: this.client.status === 'ready', refusedBy: this.refusedBy };
  }

  /** `host:port` of its server. */
  get place(): string {
    return placeOf(this.client);
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
      if (!this.isTimedOut) return 'unknown';
    }
    this.quietLooks += 1;
    const held = this.client.status === 'ready' ? this.heldLooks : 0;
    if (this.quietLooks >= held + REPLACE_LOOKS) this.replace();
    if (this.quietLooks <= held) return 'unknown';
    // One late answer does not take back what Redis has refused before.
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

  /** The primary is elsewhere. Connecting again leads there, sooner or later. */
  private leave(): void {
    if (this.leaveIn < 0) this.leaveIn = Math.random() * FIRST_LEAVE_LOOKS;
    this.leaveIn -= 1;
    if (this.leaveIn > 0) return;
    this.leaveIn = LEAVE_LOOKS * (1 + Math.random());
    this.replace();
  }

  /** Connects anew. A client that asks sentinels meanwhile is left alone: it would end for good. */
  replace(): void {
    this.quietLooks = 0;
    if (this.client.status === 'ready' || this.client.status === 'connect')
      this.client.disconnect(true);
  }

  private ask(): void {
    // During the handshake INFO is answered too, also by a Redis that loads its data.
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
    this.isTimedOut = false;
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
    // A full Redis is not broken: running turns commit, and new work is refused elsewhere (C3).
    if (refusal instanceof StoreFull) this.answer = { isReplica: false };
    else if (refusal) {
      const isReplica = /^(READONLY|MASTERDOWN)/.test(refusal.message);
      this.answer = { refused: firstLine(refusal.message), isReplica };
    } else if (isReply(error))
      this.answer = { refused: firstLine(error.message), isReplica: false };
    // Else no answer came: silence goes on, or the connection is closed.
    this.isTimedOut = this.answer === undefined;
  }

  private onError(error: unknown): void {
    if (isReply(error)) {
      this.refusedBy = firstLine(error.message);
      return;
    }
    const alert = error instanceof Error ? tlsAlert(error.message) : undefined;
    if (error instanceof Error) this.broken = plainWords(error.message);
    // When all places are taken, or our certificate is not, Redis says so and closes: our own first bytes meet a
    // closed socket.
    if (alert) this.refusedBy = alert;
    else if (/EPIPE|ECONNRESET/.test(this.broken)) {
      this.greeting((words) => {
        this.refusedBy = words;
      });
    } else this.refusedBy = undefined;
  }
}

/** The first line of an error, without the place in the script that Redis adds. */
const firstLine = (words: string) => (words.split(/\r?\n| script: /)[0] ?? '').slice(0, 200);
