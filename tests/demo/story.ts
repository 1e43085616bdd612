import {
  type Balancer,
  eventually,
  type Fault,
  type History,
  startBalancer,
} from '@sluice/testkit';
import { Recording } from '../chaos/recording.js';
import { Conversation } from './conversation.js';
import { type Cues, numberOf, sentences } from './guide.js';
import type { Seen } from './judge.js';
import { DemoNode, LEASE_TTL_MS } from './node.js';
import type { Screen } from './screen.js';

/** Longest time for a step; then the demo fails and names the step. */
const stepMs = 15_000;
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** During which message each blow falls, and after which word: the agent waits for it there. */
const killed = 4;
const cut = 6;
const drained = 8;
const blowAfter = new Map([
  [killed, 6],
  [cut, 5],
  [drained, 4],
]);

export class Story {
  readonly #screen: Screen;
  readonly #redisUrl: string;
  readonly #balancer: Balancer;
  readonly #recording = new Recording(() => undefined);
  readonly #client: Conversation;
  readonly #nodes: DemoNode[] = [];
  readonly #faults: Fault[] = [];
  readonly #exits: (number | null)[] = [];
  /** Messages whose blow has fallen. */
  readonly #struck = new Set<number>();
  /** The node that began the last turn. */
  #holder: string | undefined;

  private constructor(screen: Screen, redisUrl: string, balancer: Balancer) {
    this.#screen = screen;
    this.#redisUrl = redisUrl;
    this.#balancer = balancer;
    this.#client = new Conversation(balancer.wsUrl, screen, this.#recording);
  }

  /** Plays the story to its end and returns what was seen. */
  static async play(screen: Screen, redisUrl: string): Promise<Seen> {
    const story = new Story(screen, redisUrl, await startBalancer());
    await story.#start('node-a');
    await story.#balance();
    const running = story.#client.run();
    await story.#send(1, 6);
    await story.#start('node-b');
    await story.#start('node-c');
    await story.#balance();
    await story.#kill();
    await story.#send(7, 12, 11);
    await story.#cut();
    await story.#drain();
    const last = sentences.length;
    await story.#until('all replies came', () =>
      range(1, last).every((number) => story.#client.has(number, 'final')),
    );
    await story.#client.leave();
    await running;
    await story.#end();
    return story.#seen;
  }

  readonly #cues: Cues = {
    began: async ({ messageId, node }) => {
      const before = this.#holder;
      this.#holder = node;
      if (before !== undefined && before !== node) await this.#tellMove(before, node, messageId);
      // Before the kill another node must be there to go on.
      if (numberOf(messageId) === killed) await this.#areAllReady();
    },
    beforeWord: async (messageId, word) => {
      const number = numberOf(messageId);
      if (word === (blowAfter.get(number) ?? 0) + 1) await this.#isStruck(number);
      // The client moves while its old node still speaks: it misses some words and gets others live.
      if (number !== drained) return;
      if (word === 5) await this.#until('the client has left', () => !this.#isWithHolder);
      if (word === 8) await this.#until('the client has moved', () => this.#isElsewhere);
    },
  };

  #isStruck(number: number): Promise<unknown> | undefined {
    if (!blowAfter.has(number)) return undefined;
    return this.#until(`the blow to message ${number} fell`, () => this.#struck.has(number));
  }

  #node(name: string | undefined): DemoNode {
    const node = this.#nodes.find((one) => one.name === name);
    if (!node) throw new Error(`there is no ${name}`);
    return node;
  }

  #until(what: string, isSo: () => boolean): Promise<unknown> {
    return eventually(isSo, stepMs).catch(() => {
      throw new Error(`this did not come about within ${stepMs / 1_000} s: ${what}`);
    });
  }

  #areAllReady = () => this.#until('three nodes are ready', () => this.#nodes.length === 3);

  get #isWithHolder(): boolean {
    return this.#client.node === this.#holder;
  }

  get #isElsewhere(): boolean {
    return this.#client.node !== undefined && !this.#isWithHolder;
  }

  async #start(name: string): Promise<void> {
    const node = await DemoNode.start(name, this.#redisUrl, this.#cues);
    this.#nodes.push(node);
    this.#screen.beside(name, `ready on port ${node.port}`);
  }

  get #living(): DemoNode[] {
    return this.#nodes.filter(({ name }) => !this.#faults.some(({ node }) => node === name));
  }

  /** Sends new connections to these nodes; default: all living ones. */
  async #balance(nodes: readonly DemoNode[] = this.#living): Promise<void> {
    this.#balancer.use(nodes.map(({ port }) => port));
    await this.#until(
      'the balancer knows its nodes',
      () => this.#balancer.healthy.length === nodes.length,
    );
  }

  async #send(from: number, to: number, twice?: number): Promise<void> {
    await this.#until('the client is connected', () => this.#client.node !== undefined);
    const numbers = range(from, to);
    const repeated = twice === undefined ? [] : [twice];
    await this.#client.send([...numbers, ...repeated]);
    await this.#until(
      'the repeat is acknowledged',
      () => this.#client.duplicates === repeated.length,
    );
    this.#screen.beside('client', `sent messages ${from} to ${to} at once: all acknowledged`);
    if (twice !== undefined) {
      this.#screen.beside('client', `sent ${twice} again: acknowledged as a duplicate`);
    }
  }

  /** Waits until the client has seen enough words, so that the blow falls in the middle of the reply. */
  #isDue(number: number): Promise<unknown> {
    const words = blowAfter.get(number) ?? 0;
    return this.#until(
      `${words} words of message ${number} were seen`,
      () => this.#client.wordsOf(number) >= words,
    );
  }

  async #kill(): Promise<void> {
    await this.#isDue(killed);
    const node = this.#node(this.#holder);
    const startMs = performance.now();
    const ended = node.process.kill();
    this.#struck.add(killed);
    this.#screen.line(node.name, `killed (SIGKILL) in the middle of message ${killed}`, 'red');
    await ended;
    this.#leave('kill', node, startMs);
    await this.#until('another node took over', () => this.#holder !== node.name);
  }

  /** The client comes back through the holder of its session: the next blow must hit both. */
  async #cut(): Promise<void> {
    await this.#isDue(cut);
    await this.#balance([this.#node(this.#holder)]);
    const { connections } = this.#client;
    this.#client.cut();
    this.#struck.add(cut);
    this.#screen.line('client', `connection cut in the middle of message ${cut}`, 'red');
    await this.#until('the client is back', () => this.#client.connections > connections);
    await this.#balance();
  }

  async #drain(): Promise<void> {
    await this.#isDue(drained);
    const node = this.#node(this.#holder);
    const startMs = performance.now();
    node.process.signal('SIGTERM');
    this.#struck.add(drained);
    const what = `told to stop (SIGTERM) in the middle of message ${drained}`;
    this.#screen.line(node.name, what, 'yellow');
    const { code, ms } = await node.process.exited;
    this.#exits.push(code);
    this.#leave('drain', node, startMs);
    const seconds = (ms / 1_000).toFixed(1);
    this.#screen.beside(node.name, `ended with status ${code}, ${seconds} s after SIGTERM`);
  }

  #leave(kind: 'kill' | 'drain', { name: node }: DemoNode, startMs: number): void {
    this.#faults.push({ kind, node, startMs, endMs: performance.now() });
  }

  /** Shows why another node began a turn, and how long the session stood still. */
  async #tellMove(from: string, to: string, messageId: string): Promise<void> {
    const number = numberOf(messageId);
    const kill = this.#faults.find(({ kind, node }) => kind === 'kill' && node === from);
    if (kill) {
      const seconds = ((performance.now() - kill.startMs) / 1_000).toFixed(1);
      const lease = `the lease was ${LEASE_TTL_MS / 1_000} s`;
      this.#screen.line(to, `takes message ${number} over, ${seconds} s after the kill; ${lease}`);
      return;
    }
    await this.#until('the hand-over was told', () => this.#node(to).handOvers.length > 0);
    const pauseMs = this.#node(to).handOvers.at(-1)?.pauseMs;
    this.#screen.line(to, `got the session from ${from}, handed over: pause ${pauseMs} ms`, 'cyan');
  }

  async #end(): Promise<void> {
    for (const node of this.#living) this.#exits.push(await node.stop());
    await this.#balancer.stop();
  }

  get #seen(): Seen {
    const { sent, acknowledged, views } = this.#recording;
    const history: History = {
      leaseTtlMs: LEASE_TTL_MS,
      ...{ sent, acknowledged, views },
      turns: this.#nodes.flatMap(({ turns }) => turns),
      faults: this.#faults,
      handOvers: this.#nodes.flatMap(({ handOvers }) => handOvers),
      // No turn reaches the deadline of a drain here.
      ...{ cuttings: [], ends: [], forcedCloses: [] },
    };
    return { history, messages: sentences.length, exits: this.#exits };
  }
}
