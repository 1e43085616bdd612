import { sleep, within } from '@sluice/runtime';
import { eventually, type FrameClient, type GatewayProcess } from '@sluice/testkit';
import { Sender } from '../integration/steady-load.js';
import type { Fault, Red } from './faults.js';
import type { World } from './world.js';

/** Everything works again within this of the end of a fault. */
const RECOVERY_MS = 15_000;
/** Between two looks at `/ready`. */
const LOOK_MS = 40;
/** What a look takes on a machine with two busy cores. */
const TOLERANCE_MS = 500;
/** How far into the fault the long turn ends: its work is done while Redis is half there. */
const WORK_ENDS_MS = 2_500;

/** `/ready` of one node, looked at all the time; milliseconds since the watch began. */
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

  /** What was seen before does not count. */
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

/** Posts a message to a session whose client only listens; resolves when it has heard the reply. */
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
  /** From the end of the fault until everything worked. */
  readonly recoveredMs: number;
  readonly log: readonly string[];
};

/** Lets a fault last for `durationMs` under load, and finds what is wrong during it and behind it. */
export async function tryFault(
  world: World,
  fault: Fault,
  { durationMs, leaseTtlMs }: { durationMs: number; leaseTtlMs: number },
): Promise<Findings> {
  const { nodes, cluster } = world;
  const { node } = world.first;
  const found: string[] = [];
  const note =
    (text: string) =>
    (error: unknown): undefined => {
      found.push(`${text}: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    };
  const senders = [1, 2, 3].map((n) => new Sender(`busy-${n}`, () => nodes));
  await eventually(() => senders.every(({ events }) => events.length > 4), 10_000);
  const listener = await cluster.attach(node, { session_id: 'listens' });
  const work = await world.longTurn('works', WORK_ENDS_MS);
  const logged = nodes.map(({ logs }) => logs.length);

  const watch = new ReadyWatch(world, node);
  const end = await fault.begin(world, () => watch.begin());
  await sleep(durationMs);
  await end();
  const endedMs = performance.now();
  const left = () => Math.max(1, endedMs + RECOVERY_MS - performance.now());

  const last = nodes.at(-1) ?? node;
  const before = senders.map(({ events }) => events.length);
  await Promise.all([
    eventually(async () => {
      for (const it of nodes) if ((await world.ready(it)).status !== 200) throw new Error('red');
    }, left()).catch(note('/ready stays red')),
    ...nodes.map((it, at) => world.serves(it, `new-${at}`, left()).catch(note('new session'))),
    ...(fault.loses
      ? // What its messages are is gone with the data: it is told by the end of its connection.
        [within(listener.closed, left()).then((it) => it ?? found.push('a listener was not told'))]
      : [
          eventually(
            () => senders.every((it, at) => it.events.length > (before[at] ?? 0) + 3),
            left(),
          )
            // What is there tells who stands still.
            .catch(() => note('senders stand')(senders.map((it) => it.events.length))),
          eventually(() => isHeard(last, listener, 'listens'), left()).catch(note('not heard')),
        ]),
  ]);
  const recoveredMs = performance.now() - endedMs;
  await watch.stop();
  found.push(...redFaults(watch, fault.red));

  const wrong = (
    await Promise.all(senders.map((it) => it.settle(fault.loses ? 0 : 20_000)))
  ).flat();
  if (!fault.loses) found.push(...wrong);
  const errors = senders.flatMap((it) => it.errors);
  for (const { code, message } of errors) {
    if (code === 'internal') found.push(`a client read "internal": ${message}`);
  }
  if (!fault.loses) {
    const reader = await cluster.attach(last, { session_id: 'works' }).catch(note('no attach'));
    const final = await reader?.final(work.id, 5_000).catch(note('the long turn has no outcome'));
    const status = Object(Object(final).outcome).status;
    if (final && status !== 'ok') found.push(`the long turn ended ${status}`);
    const isKept = durationMs < 0.9 * leaseTtlMs && (fault.keepsWork ?? true);
    const runs = world.turnsOf(work.id).length;
    if (isKept && runs !== 1) found.push(`finished work was thrown away: ${runs} runs`);
  }
  for (const it of nodes) {
    const fatal = it.logs.find(({ level }) => level === 'fatal');
    if (fatal) found.push(`${it.nodeId} logged at fatal: ${fatal.msg}`);
  }
  const log = world.logLines(logged);
  return { faults: [...new Set(found)], redAtMs: watch.redAtMs, recoveredMs, log };
}
