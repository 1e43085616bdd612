import { sleep, within } from '@sluice/runtime';
import { eventually, type FrameClient, type GatewayProcess } from '@sluice/testkit';
import { Sender } from '../support/cluster/steady-load.js';
import type { Fault, Red } from './faults.js';
import type { World } from './world.js';

/** Everything must work again within this time after the end of a fault. */
const RECOVERY_MS = 15_000;
/** Pause between two requests of `/ready`. */
const LOOK_MS = 40;
/** How long such a request takes on a machine with two busy cores. */
const TOLERANCE_MS = 500;
/** The agent finishes the long turn this long after the fault begins. */
const WORK_ENDS_MS = 2_500;

/** Requests `/ready` of one node all the time; times are milliseconds since `begin`. */
class ReadyWatch {
  #isOver = false;
  #sinceMs = performance.now();
  readonly looks: { readonly ms: number; readonly status: number }[] = [];
  readonly #running: Promise<void>;

  constructor(world: World, node: GatewayProcess) {
    this.#running = (async () => {
      while (!this.#isOver) {
        const { status } = await world.ready(node).catch(() => ({ status: 0 }));
        this.looks.push({ ms: performance.now() - this.#sinceMs, status });
        await sleep(LOOK_MS);
      }
    })();
  }

  /** Forgets all earlier answers. */
  begin(): void {
    this.#sinceMs = performance.now();
    this.looks.length = 0;
  }

  get redAtMs(): number | undefined {
    return this.looks.find(({ status }) => status === 503)?.ms;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

function redFaults(watch: ReadyWatch, red: Red | undefined): string[] {
  if (!red) return [];
  const at = watch.redAtMs;
  if (at === undefined) return ['/ready never turned red'];
  const isEarly = at < red.fromMs;
  const isLate = at > red.untilMs + TOLERANCE_MS;
  const bounds = `${red.fromMs} to ${red.untilMs} ms`;
  return isEarly || isLate ? [`/ready red after ${Math.round(at)} ms, not ${bounds}`] : [];
}

/** Posts a message to a session whose client only listens; resolves when the client has the reply. */
async function isHeard(node: GatewayProcess, listener: FrameClient, sessionId: string) {
  const response = await fetch(`${node.url}/v1/sessions/${sessionId}/messages`, {
    method: 'POST',
    body: JSON.stringify({ agent_id: 'slow', content: 'do you hear me?' }),
  });
  const { message_id } = Object(await response.json());
  if (response.status >= 300) throw new Error(`POST answered ${response.status}`);
  await listener.final(String(message_id), 3_000);
}

export type Findings = {
  readonly faults: readonly string[];
  /** When `/ready` of the first node turned red; undefined: never. */
  readonly redAtMs: number | undefined;
  /** Time from the end of the fault until everything worked. */
  readonly recoveredMs: number;
  readonly log: readonly string[];
};

type Lasting = { readonly durationMs: number; readonly leaseTtlMs: number };

/** Findings, each one sentence; the same one only once. */
class Notes {
  readonly all = new Set<string>();

  /** For `catch`: notes the failure as a finding. */
  failed(what: string) {
    return (error: unknown): undefined => {
      const why = error instanceof Error ? error.message.split('\n')[0] : error;
      this.all.add(`${what}: ${why}`);
    };
  }
}

/** The load when the fault begins: conversations, a client that only listens, and a long turn. */
async function startLoad(world: World) {
  const { nodes, cluster, first } = world;
  const senders = [1, 2, 3].map((n) => new Sender(`busy-${n}`, () => nodes));
  await eventually(() => senders.every(({ events }) => events.length > 4), 10_000);
  const listener = await cluster.attach(first.node, { session_id: 'listens' });
  const work = await world.longTurn('works', WORK_ENDS_MS);
  return { senders, listener, work };
}
type Load = Awaited<ReturnType<typeof startLoad>>;

/** Waits, at most `RECOVERY_MS` in all, until everything works that a client or an operator needs. */
async function recovers(world: World, fault: Fault, { senders, listener }: Load, notes: Notes) {
  const { nodes } = world;
  const untilMs = performance.now() + RECOVERY_MS;
  const left = () => Math.max(1, untilMs - performance.now());
  const before = senders.map(({ events }) => events.length);
  const goOn = () => senders.every((it, at) => it.events.length > (before[at] ?? 0) + 3);
  const areReady = async () => {
    const answers = await Promise.all(nodes.map((it) => world.ready(it)));
    return answers.every(({ status }) => status === 200);
  };
  const last = nodes.at(-1) ?? world.first.node;
  const told = async () => {
    if (!(await within(listener.closed, left()))) throw new Error('its connection is open');
  };
  await Promise.all([
    eventually(areReady, left()).catch(notes.failed('/ready stays red')),
    ...nodes.map((it, at) =>
      world.serves(it, `new-${at}`, left()).catch(notes.failed('new session')),
    ),
    ...(fault.loses
      ? // Its session is gone with the data: the gateway must end its connection.
        [told().catch(notes.failed('a listener was not told'))]
      : [
          eventually(goOn, left()).catch(notes.failed('senders stand')),
          eventually(() => isHeard(last, listener, 'listens'), left()).catch(
            notes.failed('not heard'),
          ),
        ]),
  ]);
}

/** Checks the long turn: its outcome, and how often the agent ran it. */
async function judgeWork(
  world: World,
  { work }: Load,
  isKept: boolean,
  notes: Notes,
): Promise<void> {
  const last = world.nodes.at(-1) ?? world.first.node;
  const reader = await world.cluster
    .attach(last, { session_id: 'works' })
    .catch(notes.failed('no attach'));
  const final = await reader
    ?.final(work.id, 5_000)
    .catch(notes.failed('the long turn has no outcome'));
  const { status } = Object(Object(final).outcome);
  if (final && status !== 'ok') notes.all.add(`the long turn ended ${status}`);
  const runs = world.turnsOf(work.id).length;
  if (isKept && runs !== 1) notes.all.add(`finished work was thrown away: ${runs} runs`);
}

/** Lets a fault last for `durationMs` under load; finds what is wrong during and after it. */
export async function tryFault(
  world: World,
  fault: Fault,
  { durationMs, leaseTtlMs }: Lasting,
): Promise<Findings> {
  const { nodes, first } = world;
  const notes = new Notes();
  const load = await startLoad(world);
  const logged = nodes.map(({ logs }) => logs.length);
  const watch = new ReadyWatch(world, first.node);
  try {
    const end = await fault.begin(world, () => watch.begin());
    await sleep(durationMs);
    await end();
    const endedMs = performance.now();
    await recovers(world, fault, load, notes);
    const recoveredMs = performance.now() - endedMs;
    const settled = load.senders.map((it) => it.settle(fault.loses ? 0 : 20_000));
    const wrong = (await Promise.all(settled)).flat();
    if (!fault.loses) {
      for (const it of wrong) notes.all.add(it);
      const isKept = durationMs < 0.9 * leaseTtlMs && (fault.keepsWork ?? true);
      await judgeWork(world, load, isKept, notes);
    }
    for (const { code, message } of load.senders.flatMap((it) => it.errors)) {
      if (code === 'internal') notes.all.add(`a client read "internal": ${message}`);
    }
    const fatal = nodes.flatMap(({ logs }) => logs.filter(({ level }) => level === 'fatal'));
    for (const { msg } of fatal) notes.all.add(`logged at fatal: ${msg}`);
    const { redAtMs } = watch;
    for (const it of redFaults(watch, fault.red)) notes.all.add(it);
    return { faults: [...notes.all], redAtMs, recoveredMs, log: world.logLines(logged) };
  } finally {
    await watch.stop();
    await Promise.all(load.senders.map((it) => it.settle(0)));
  }
}
