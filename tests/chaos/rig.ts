import { sleep } from '@sluice/runtime';
import {
  type Cutting,
  checkHistory,
  eventually,
  type Fault,
  type ForcedClose,
  type History,
  measurePauses,
  type Pauses,
  type SessionEnd,
  startBalancer,
  startHaproxy,
  startRedis,
  stopAll,
  type TestRedis,
  type Turn,
  type Verdict,
} from '@sluice/testkit';
import { startMembers, urlsOf } from '../support/quorum.js';
import { audit, describeSessions } from './audit.js';
import { Conversation } from './conversation.js';
import { drawMessages } from './draw-messages.js';
import { FaultScript } from './fault-script.js';
import { DRAIN_MS, type NodeSettings, Place, PREFIX } from './fleet.js';
import { leftoverKeys } from './leftover.js';
import { awaitLevel, type Levelling } from './level.js';
import type { ChaosOptions } from './options.js';
import { Random } from './random.js';
import { Recording, type Refusal } from './recording.js';
import { type Strain, watchStrain } from './strain.js';

/** Time for messages that are accepted but not answered when the load ends. */
const settleMs = 60_000;
/** Largest difference of two clocks of one machine, and of both ends of a connection. */
const clockMs = 100;
/** `session.resume_window` of the last start of the cluster, so that the sessions expire. */
const lastWindow = '5s';

export type ChaosResult = {
  readonly history: History;
  readonly verdict: Verdict;
  readonly pauses: Pauses;
  readonly strain: Strain;
  readonly oddities: readonly string[];
  /** Statuses of the nodes that were told to stop. */
  readonly exits: readonly (number | null)[];
  /** Clients that were refused though a node was ready. */
  readonly refusals: readonly Refusal[];
  readonly levelling: Levelling | undefined;
  /** Keys left over that are not documented. */
  readonly leftover: readonly string[];
};

/** Runs a cluster under load and faults, and judges what was seen. */
export async function runChaos(
  options: ChaosOptions,
  tell: (line: string) => void,
): Promise<ChaosResult> {
  const random = new Random(options.seed);
  const recording = new Recording(tell);
  const redis = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const { leaseTtlMs, resumeWindow, maxConnectionAgeMs } = options;
  const members = await startMembers(options.quorum);
  const quorum = urlsOf(members);
  const settings = { leaseTtlMs, resumeWindow, maxConnectionAgeMs, quorum };
  const places = await openPlaces({ count: options.nodes, redis, random, settings });
  try {
    const start = options.balancer === 'haproxy' ? startHaproxy : startBalancer;
    const balancer = await start(places.map(({ port }) => port));
    await eventually(() => balancer.healthy.length === options.nodes);
    const watch = watchStrain(redis);
    const talk = (session: string, name: 'sender' | 'watcher') => {
      const own = random.fork();
      const next = name === 'sender' ? drawMessages(own) : () => undefined;
      const wsUrl = () => balancer.wsUrl;
      return new Conversation({ session, name, wsUrl, next, recording, random: own });
    };
    const names = Array.from({ length: options.sessions }, (_, index) => `s${index + 1}`);
    const senders = names.map((session) => talk(session, 'sender'));
    const watchers = names
      .filter((_, at) => at % 4 === 0)
      .map((session) => talk(session, 'watcher'));
    const running = [...senders, ...watchers].map((client) => client.run());

    const drawn = { random: random.fork(), settings };
    const script = new FaultScript({ places, redis, members, recording, ...drawn });
    if (options.rounds !== undefined) await script.runRounds(options.faults, options.rounds);
    else await script.run(options.faults, performance.now() + options.seconds * 1_000);
    const levelling =
      maxConnectionAgeMs > 0
        ? await awaitLevel(balancer.url, { nodes: options.nodes, maxAgeMs: maxConnectionAgeMs })
        : undefined;
    if (levelling && levelling.ms === undefined) {
      recording.odd(`connections are not level: ${levelling.after.join(', ')}`);
    }
    for (const client of senders) client.stopSending();
    const strain = await watch.stop();
    tell('load and faults are over');
    const open = () => names.filter((_, at) => !senders[at]?.isSettled);
    await eventually(() => open().length === 0, settleMs).catch(async () => {
      const ids = senders.flatMap(({ unsettled }, at) =>
        unsettled.map((id) => `${names[at]} ${id}`),
      );
      recording.odd(`without an outcome after ${settleMs} ms: ${ids.join(', ')}`);
      for (const line of await describeSessions(open(), balancer.url)) recording.odd(line);
    });
    await sleep(500);
    for (const client of [...senders, ...watchers]) client.leave();
    await Promise.all(running);
    await script.endAll();
    for (const place of places) await place.start({ ...settings, resumeWindow: lastWindow });
    await eventually(() => balancer.healthy.length === options.nodes, 10_000);
    await audit(names, balancer.wsUrl, recording);
    const whole = await complete({ recording, places, redis, settings });
    const leftover = await leftoverKeys(redis, PREFIX);
    const { oddities, exits, unexcused: refusals } = recording;
    const pauses = measurePauses(whole);
    const seen = { oddities, exits, refusals, leftover, levelling };
    return { history: whole, verdict: checkHistory(whole), pauses, strain, ...seen };
  } finally {
    await Promise.all(places.map((place) => place.close()));
    await stopAll();
  }
}

type Opening = {
  readonly count: number;
  readonly redis: TestRedis;
  readonly random: Random;
  readonly settings: NodeSettings;
};

async function openPlaces({ count, redis, random, settings }: Opening) {
  const open = async (index: number) => {
    const place = await Place.open(index, redis, random.fork());
    await place.start(settings);
    return place;
  };
  const places: [Place, ...Place[]] = [await open(1)];
  for (let index = 2; index <= count; index += 1) places.push(await open(index));
  return places;
}

type Run = {
  readonly recording: Recording;
  readonly places: readonly Place[];
  readonly redis: TestRedis;
  readonly settings: NodeSettings;
};

async function complete({ recording, places, redis, settings }: Run): Promise<History> {
  const turns = places.flatMap((place) => place.turns);
  const { sent, acknowledged, views, faults } = recording;
  const forcedCloses = forcedClosesOf(turns, recording);
  const client = redis.client();
  const read = async () => readEnds(await client.xrange(`${PREFIX}:session-end`, '-', '+'));
  const names = (ends: readonly SessionEnd[]) =>
    new Set(ends.map((it) => `${it.session} ${it.fence}`));
  // The sweep copies records that a node left behind after 5 s.
  await eventually(async () => {
    const found = names(await read());
    return forcedCloses.every((it) => found.has(`${it.session} ${it.fence}`));
  }, 8_000).catch(() => undefined);
  const ends = await read();
  const { leaseTtlMs } = settings;
  const cuttings = cuttingsOf(faults);
  const handOvers = places.flatMap((place) => place.handOvers);
  const seen = { sent, acknowledged, views, turns, faults, ends, forcedCloses, handOvers };
  return { leaseTtlMs, cuttings, ...seen };
}

const isDrain = ({ kind }: Fault) => kind === 'drain' || kind === 'shutdown';

/** With `clockMs` of tolerance, since the clock of Redis is compared with ours. */
function cuttingsOf(faults: readonly Fault[]): Cutting[] {
  return faults
    .filter((fault) => isDrain(fault) && fault.endMs >= fault.startMs + DRAIN_MS)
    .map(({ startMs, endMs }) => ({
      startMs: startMs + DRAIN_MS - clockMs,
      endMs: endMs + clockMs,
    }));
}

/** Turns that a draining node cut at its deadline: closed after it, and without an outcome. */
function forcedClosesOf(turns: readonly Turn[], { faults, views }: Recording): ForcedClose[] {
  const drains = new Map(faults.filter(isDrain).map(({ node, startMs }) => [node, startMs]));
  const ended = new Set(
    views.flatMap(({ frames }) =>
      frames.flatMap((it) => (it.kind === 'event' && it.status === 'final' ? [it.turnId] : [])),
    ),
  );
  return turns.flatMap(({ session, fence, node, closedByPeer, endMs, turnId }) => {
    const startMs = drains.get(node);
    if (!closedByPeer || endMs === null || startMs === undefined) return [];
    const isForced = endMs >= startMs + DRAIN_MS - clockMs && !ended.has(turnId);
    return isForced ? [{ session, fence, node, atMs: endMs }] : [];
  });
}

function readEnds(entries: readonly (readonly [string, readonly string[]])[]): SessionEnd[] {
  return entries.map(([, flat]) => {
    const field = (name: string) => {
      const at = flat.findIndex((word, index) => index % 2 === 0 && word === name);
      return at < 0 ? '' : (flat[at + 1] ?? '');
    };
    return {
      session: field('session_id'),
      eventId: field('event_id'),
      fence: Number(field('fence')),
      reasonCode: field('reason_code'),
      atMs: Number(field('ts')) - performance.timeOrigin,
    };
  });
}
