import { sleep } from '@sluice/runtime';
import { eventually, type Frame, FrameClient, type GatewayProcess, gaps } from '@sluice/testkit';

/** Messages that a sender has under way at once. */
const UNDERWAY_MAX = 3;
const TICK_MS = 20;
const ASK_AGAIN_MS = 3_000;

/**
 * One conversation that goes on for as long as a fault lasts. It comes back at its cursor when its
 * connection ends, and sends again, under the same id, what was not acknowledged.
 */
export class Sender {
  /** Events of the log over all connections, and error frames. */
  readonly events: Frame[] = [];
  readonly errors: Frame[] = [];
  /** What cost it its position: a `hello_ok` that asks for a resync, a `snapshot`. */
  readonly resyncs: Frame[] = [];
  readonly acknowledged = new Set<string>();
  #underway = new Map<string, number>();
  #made = 0;
  #epoch: string | undefined;
  #isSending = true;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(
    readonly sessionId: string,
    private readonly nodes: () => readonly GatewayProcess[],
  ) {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let at = 0; !this.#isOver; at += 1) {
      const nodes = this.nodes();
      const node = nodes[at % Math.max(1, nodes.length)];
      if (node) await this.#connection(node).catch(() => undefined);
      await sleep(TICK_MS);
    }
  }

  async #connection(node: GatewayProcess): Promise<void> {
    const client = await FrameClient.connect(node.wsUrl);
    const since = this.events.at(-1)?.cursor ?? 0;
    const position = { since, ...(this.#epoch ? { epoch: this.#epoch } : {}) };
    const hello = await client.hello({ agent_id: 'slow', session_id: this.sessionId, ...position });
    this.#epoch = String(hello.epoch);
    if (hello.resync_required === true) this.resyncs.push(hello);
    let isClosed = false;
    client.closed.then(() => {
      isClosed = true;
    });
    for (const id of this.#underway.keys()) this.#underway.set(id, 0);
    let logged = 0;
    let read = 0;
    const take = () => {
      const events = client.logged();
      for (const event of events.slice(logged)) this.#take(event);
      logged = events.length;
      for (; read < client.frames.length; read += 1) {
        const frame = client.frames[read];
        if (frame?.type === 'error') this.errors.push(frame);
        if (frame?.type === 'snapshot') this.resyncs.push(frame);
        if (frame?.status === 'final' && frame.message_id) this.#underway.delete(frame.message_id);
      }
    };
    while (!isClosed && !this.#isOver) {
      take();
      this.#send(client);
      await sleep(TICK_MS);
    }
    take();
    client.cut();
  }

  #take(event: Frame): void {
    // A repeat carries no cursor and is no event.
    if (event.cursor === undefined || event.duplicate === true) return;
    this.events.push(event);
    const { status, message_id = '' } = event;
    if (status === 'accepted') this.acknowledged.add(message_id);
    if (status === 'final') this.#underway.delete(message_id);
  }

  #send(client: FrameClient): void {
    const now = performance.now();
    for (const [id, askedMs] of this.#underway) {
      if (this.acknowledged.has(id) || now - askedMs < ASK_AGAIN_MS) continue;
      this.#underway.set(id, now);
      client.message(`say ${id}`, { message_id: id });
    }
    if (!this.#isSending || this.#underway.size >= UNDERWAY_MAX) return;
    this.#made += 1;
    const id = `m${this.#made}`;
    this.#underway.set(id, now);
    client.message(`say ${id}`, { message_id: id });
  }

  /** Sends no more and waits until everything has its outcome; answers what is wrong with the log. */
  async settle(ms = 20_000): Promise<string[]> {
    this.#isSending = false;
    await eventually(() => this.#underway.size === 0, ms).catch(() => undefined);
    this.#isOver = true;
    await this.#running;
    const finals = this.events.flatMap(({ status, message_id = '' }) =>
      status === 'final' ? [message_id] : [],
    );
    const accepted = [...this.acknowledged];
    return [
      ...gaps(this.events),
      ...[...this.#underway.keys()].map((id) => `${id} has no outcome`),
      ...(finals.join() === accepted.join() ? [] : [`outcomes ${finals} of ${accepted}`]),
    ];
  }
}
