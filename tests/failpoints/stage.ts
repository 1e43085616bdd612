import { sessionKeyId } from '@sluice/store';
import { eventually, FrameClient, type GatewayProcess } from '@sluice/testkit';
import { Conversation, type Draft } from '../chaos/conversation.js';
import { Random } from '../chaos/random.js';
import { Recording } from '../chaos/recording.js';
import type { Lane } from './lane.js';

const reachMs = 15_000;

/** One failpoint's session: its client, what it saw, and the node that is to die. */
export class Stage {
  readonly recording = new Recording(() => {});
  readonly id: string;
  readonly #drafts: Draft[] = [];
  readonly #clients: { readonly conversation: Conversation; readonly run: Promise<void> }[] = [];
  #target: GatewayProcess;
  #armed: GatewayProcess | undefined;
  #isDead = false;
  #hasSpoken = false;
  #acted: Promise<void> = Promise.resolve();
  /** The error of `act`; expected when the node died. */
  failure: unknown;

  constructor(
    readonly lane: Lane,
    readonly session: string,
  ) {
    this.id = sessionKeyId('local', session);
    this.#target = lane.healthy;
  }

  get keys() {
    return this.lane.keys.session(this.id);
  }

  /** The node with the failpoint, while it lives. */
  get armed(): GatewayProcess {
    if (!this.#armed) throw new Error('there is no node with a failpoint');
    return this.#armed;
  }

  arm(node: GatewayProcess): void {
    this.#armed = node;
    node.exited.then(() => {
      this.#isDead = true;
    });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  act(run: () => Promise<unknown>): void {
    this.#acted = run().then(
      () => undefined,
      (error: unknown) => {
        this.failure = error;
      },
    );
  }

  get acted(): Promise<void> {
    return this.#acted;
  }

  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** New connections of the client go to this node. */
  useNode(node: GatewayProcess): void {
    this.#target = node;
  }

  /** The client sends these messages in this order, and again until they are acknowledged. */
  say(...ids: string[]): void {
    this.#hasSpoken = true;
    this.#drafts.push(...ids.map((messageId) => ({ messageId, mode: 'enqueue' as const })));
    if (this.#clients.length === 0) this.talk('sender', () => this.#drafts.shift());
  }

  /** A client that only looks on. */
  watch(): void {
    this.talk('watcher', () => undefined);
  }

  private talk(name: string, next: () => Draft | undefined): void {
    const { session, recording } = this;
    const wsUrl = () => this.#target.wsUrl;
    const random = new Random(1);
    const conversation = new Conversation({ session, name, wsUrl, next, recording, random });
    this.#clients.push({ conversation, run: conversation.run() });
  }

  /** Whether every message has its outcome, and every client has seen the whole log. */
  async isSettled(): Promise<boolean> {
    const clients = this.#clients.map((it) => it.conversation);
    if (this.#drafts.length > 0 || !clients.every((it) => it.isSettled)) return false;
    const head = Number(await this.lane.client.hget(this.keys.state, 'cursor'));
    return clients.every((it) => it.position >= head);
  }

  settled(ms = reachMs): Promise<unknown> {
    return eventually(() => this.isSettled(), ms).catch(() => {
      const waiting = this.#clients.flatMap((it) => it.conversation.unsettled);
      throw new Error(`no outcome in ${ms} ms: ${waiting.join(', ')}`);
    });
  }

  /** The clients leave; then the recording has everything that they saw. */
  async leave(): Promise<void> {
    for (const { conversation } of this.#clients) conversation.leave();
    await Promise.all(this.#clients.splice(0).map(({ run }) => run));
  }

  /** Records a message that a separate client sends and nobody repeats. */
  note(messageId: string): void {
    const { session } = this;
    this.recording.sent.push({ session, messageId, mode: 'enqueue', atMs: performance.now() });
  }

  /** Another connection to the session, which is not recorded. */
  async attach(node: GatewayProcess, fields: Readonly<Record<string, unknown>> = {}) {
    const client = await FrameClient.connect(node.wsUrl);
    await client.hello({ agent_id: 'slow', session_id: this.session, ...fields });
    return client;
  }

  /** Waits until the inbox has this many messages, including the one that runs. */
  waiting(count: number): Promise<unknown> {
    const { client } = this.lane;
    return eventually(async () => (await client.llen(this.keys.inbox)) === count, reachMs);
  }

  /** Waits until the first turn runs and the inbox has `count` messages. */
  async running(count: number): Promise<void> {
    await this.waiting(count);
    const isMine = () => this.lane.agent.turns.some(({ turn }) => turn.session_id === this.session);
    await eventually(isMine, reachMs);
  }
}
