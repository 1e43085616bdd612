import { type Lease, principalHash, type Store, streamFields } from '@sluice/store';
import type { Redis } from 'ioredis';
import { attach, commitOf, expireLease, idOf, refOf } from './scripts-world.js';

/** What two nodes and their clients may do next to one session; the numbers choose among what there is. */
export type Step =
  | { readonly kind: 'append'; readonly mode: 'enqueue' | 'collect' | 'interrupt' | 'reject' }
  | { readonly kind: 'again' | 'cancel'; readonly which: number }
  | { readonly kind: 'ring' | 'retry' | 'stream' | 'renew'; readonly node: number }
  | { readonly kind: 'commit'; readonly node: number; readonly fetch: boolean }
  | { readonly kind: 'release'; readonly node: number; readonly how: 'idle' | 'yield' | 'force' }
  | { readonly kind: 'abort' | 'crash' | 'sweep' | 'attach' | 'touch' | 'peek' | 'draw' | 'end' };

/** `batch`: the messages that the turn was started for. */
type Holder = { lease: Lease; turnId: string; batch: string[] };

const idsOf = (entries: readonly string[]) => entries.map((entry) => entry.split(' ')[0] ?? '');

/** One session of a real Redis, and what must be true of it whatever was done to it. */
export class ModelSession {
  readonly ref;
  readonly id: string;
  /** Every acceptance, by message id. */
  readonly accepted: string[] = [];
  /** What each node believes to hold; Redis may know better. */
  readonly holders: (Holder | undefined)[] = [undefined, undefined];
  private serial = 0;
  private fence = 0;
  private ended = false;

  constructor(
    private readonly client: Redis,
    readonly nodes: readonly [Store, Store],
    name: string,
  ) {
    this.ref = refOf(name);
    this.id = idOf(this.ref);
  }

  private get keys() {
    return this.nodes[0].keys.session(this.id);
  }

  /** Does the step if it can be done now; most refusals are part of the game. */
  async run(step: Step): Promise<void> {
    const [store] = this.nodes;
    switch (step.kind) {
      case 'append':
        return this.append(`m${++this.serial}`, step.mode);
      case 'again': {
        const known = this.pick(step.which);
        return known === undefined ? undefined : this.append(known, 'enqueue');
      }
      case 'cancel':
        await store.inbox.cancel(this.ref, this.pick(step.which) ?? 'unknown');
        return;
      case 'ring':
        return this.ring(step.node);
      case 'abort':
        await store.inbox.abort(this.ref, 'user');
        return;
      case 'crash': // nobody comes back, and the time of the lease passes
        this.holders.fill(undefined);
        if (await this.client.exists(this.keys.state))
          await expireLease(this.client, store, this.ref);
        return;
      case 'sweep': {
        const partition = store.keys.partitionOf(this.id);
        await this.client.del(store.keys.partition(partition).swept);
        await this.client.zadd(this.keys.pending, 'XX', 1, this.id);
        await store.sweep(partition);
        return;
      }
      case 'attach':
        await attach(store, this.ref);
        if (this.ended) this.accepted.length = 0; // a new session under the same id
        this.ended = false;
        return;
      case 'touch':
        await store.sessions.touch(this.ref);
        return;
      case 'peek':
        await store.leases.peek(this.id, '1');
        return;
      case 'draw':
        await store.leases.drawRing(this.id, 0);
        return;
      case 'end': {
        const callId = `call-${++this.serial}`;
        await store.sessions.end(this.ref, { callId, reason: 'Ended', reasonCode: 'operator' });
        this.ended = true;
        this.fence = 0;
        return;
      }
      default:
        return this.hold(step);
    }
  }

  private pick(which: number): string | undefined {
    return this.accepted[which % Math.max(1, this.accepted.length)];
  }

  private async append(messageId: string, mode: 'enqueue' | 'collect' | 'interrupt' | 'reject') {
    const message = { messageId, content: `content of ${messageId}`, mode };
    const { kind } = await this.nodes[0].inbox.append(this.ref, message);
    if (kind === 'accepted') this.accepted.push(messageId);
  }

  private async ring(node: number) {
    const { leases } = this.nodes[node] ?? this.nodes[0];
    const peeked = await leases.peek(this.id, '');
    if (peeked.kind !== 'free') return;
    const claim = await leases.acquire(this.id);
    if (!claim) return;
    const turnId = `t${++this.serial}`;
    const wanted = { id: this.id, token: claim.token, fence: peeked.fence };
    const begun = await leases.begin(wanted, { turnId });
    if (begun.kind !== 'begun' && begun.kind !== 'exhausted') return;
    const lease = { id: this.id, token: claim.token, fence: begun.head.fence };
    if (lease.fence <= this.fence) throw new Error(`fence ${lease.fence} after ${this.fence}`);
    this.fence = lease.fence;
    this.holders[node] = { lease, turnId, batch: idsOf(begun.head.entries) };
  }

  /** Writes under a lease, by a node that may have lost it long ago. */
  private async hold(step: Extract<Step, { readonly node: number }>) {
    const { leases } = this.nodes[step.node] ?? this.nodes[0];
    const holder = this.holders[step.node];
    if (!holder) return;
    const { lease, turnId } = holder;
    switch (step.kind) {
      case 'stream': {
        const batch = [streamFields('token_stream', 'm', { content: 'x' })];
        await leases.appendEvents(lease, { turnId, number: ++this.serial, batch });
        return;
      }
      case 'retry': {
        const next = `t${++this.serial}`;
        const begun = await leases.begin(lease, { turnId: next });
        if (begun.kind !== 'begun' && begun.kind !== 'exhausted') return;
        holder.turnId = next;
        holder.batch = idsOf(begun.head.entries);
        return;
      }
      case 'commit': {
        const end = commitOf(turnId, { nextTurnId: `t${++this.serial}`, fetch: step.fetch });
        const reply = await leases.commit(lease, end);
        if (reply.kind === 'fenced') return;
        const left = idsOf(await this.client.lrange(this.keys.inbox, 0, -1));
        if (holder.batch.some((messageId) => left.includes(messageId))) {
          throw new Error(`T2: ${holder.batch} committed, ${left} left`);
        }
        holder.batch = [];
        if (reply.kind !== 'next') return;
        holder.turnId = end.nextTurnId;
        holder.batch = idsOf(reply.head.entries);
        return;
      }
      case 'release': {
        const reply = await leases.release(lease, step.how, 'drain');
        if (reply.kind !== 'more') this.holders[step.node] = undefined;
        return;
      }
      default:
        return;
    }
  }

  /** Throws, with what is wrong, unless everything holds that must always hold. */
  async check(): Promise<void> {
    const { state, inbox, seen, pending } = this.keys;
    const [fields, entries, log, listed, known] = await Promise.all([
      this.client.hgetall(state),
      this.client.lrange(inbox, 0, -1),
      this.nodes[0].sessions.log(this.ref, { after: 0, count: 10_000 }),
      this.client.zscore(pending, this.id),
      this.client.zrangebyscore(seen, '-inf', '+inf'),
    ]);
    const wrong = (what: string) => new Error(`${what}; ${JSON.stringify({ fields, entries })}`);
    const waiting = idsOf(entries);

    if (waiting.length > 0 && listed === null) throw wrong('T7: work that no sweep will find');
    if (waiting.length === 0 && listed !== null) throw wrong('a sweep that finds no work');
    const batch = Number(fields.batch ?? 0);
    if (batch > waiting.length) throw wrong('T2: a started message left before its commit');
    const holder = this.holders.find((held) => held?.turnId === fields.turn_id);
    if (holder && batch > 0 && holder.batch.join() !== waiting.slice(0, batch).join()) {
      throw wrong(`T2: ${holder.batch} was started`);
    }
    if (!this.isInOrder(entries.slice(batch))) throw wrong('T1: not the order of acceptance');
    const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry), 0);
    if (fields.bytes !== undefined && Number(fields.bytes) !== bytes && !this.ended) {
      throw wrong(`S4: ${bytes} bytes wait`);
    }
    const seqs = log?.events.map(({ seq }) => seq) ?? [];
    if (seqs.some((seq, index) => seq !== index + 1)) throw wrong(`E1: seq ${seqs}`);
    if (log && seqs.length !== log.head) throw wrong(`E1: head ${log.head} of ${seqs.length}`);
    const finals = log?.events.flatMap((e) => (e.kind === 'final' ? [e.messageId] : [])) ?? [];
    const all = [...finals, ...waiting].sort();
    if (all.join() !== [...this.accepted].sort().join()) throw wrong(`S2: outcomes ${finals}`);
    if (this.ended) return;
    if (known.length !== this.accepted.length) throw wrong(`S3: ids ${known}`);
    await this.checkExpiry(waiting.length > 0, wrong);
  }

  /** Interrupts first; apart from that as they were accepted. */
  private isInOrder(entries: readonly string[]): boolean {
    const ranks = entries.map((entry) => {
      const [messageId = '', , , mode] = entry.split(' ');
      return (mode === 'interrupt' ? 0 : 10_000) + this.accepted.indexOf(messageId);
    });
    return ranks.every((rank, index) => index === 0 || (ranks[index - 1] ?? 0) < rank);
  }

  private async checkExpiry(working: boolean, wrong: (what: string) => Error) {
    const { state, inbox, events, messages, seen, sessions } = this.keys;
    const all = [state, inbox, events, messages, seen].map((key) => this.client.pexpiretime(key));
    const times = new Set((await Promise.all(all)).filter((at) => at !== -2));
    if (times.size > 1) throw wrong(`C4: expires in parts, ${[...times]}`);
    for (const at of times) if ((at === -1) !== working) throw wrong(`C4: expires at ${at}`);
    const owned = `${sessions.replace(/sessions$/, '')}u:${principalHash(this.ref.principal)}`;
    const listed = await Promise.all(
      [sessions, owned].map((key) => this.client.zscore(key, this.id)),
    );
    if (times.size > 0 && listed.includes(null)) throw wrong('a session in no listing');
  }
}
