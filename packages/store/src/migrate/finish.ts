import { makeId, monotonicMs, sleep } from '@sluice/runtime';
import { MOVED_MARK } from '../keys/keys.js';
import * as pauseScripts from '../script/scripts-pause.js';
import { openForNodes, ownPartitions } from './ends.js';
import { copyEnds, copyLetters, forgetLetters } from './letters-copy.js';
import { laterFault, notSuperseded, type Place } from './place.js';
import { differs, type Progress, setAside } from './progress.js';
import * as scripts from './scripts-migrate.js';
import { copySession, type Ends, sealSession } from './session-copy.js';
import { allSessions, isGoneFrom } from './verify.js';
import { forEach, partitionsOf } from './walk.js';

const AT_ONCE = 16;
const HELD_LOOK_MS = 250;

/** Ends what was decided before: true, the copy is complete, and only has to be opened. */
export async function beginMove({ from, to, run }: Ends): Promise<'begun' | 'done'> {
  const layout = { layout: from.keys.layout };
  const about = { step: 'begin', run, place: to.name, id: makeId('moved') };
  return (await from.run(scripts.moveStep, layout, about)) === 'done' ? 'done' : 'begun';
}

/** The last pass: closes the source, copies what has changed, and opens the target. May be repeated at any point. */
export async function finish(ends: Ends, progress: Progress, waitMs: number): Promise<void> {
  const { from, to, run } = ends;
  await ownPartitions(from, run);
  for (const partition of partitionsOf(from)) await sealListings(from, partition, run);
  await sealAndCopy(ends, progress, waitMs);
  for (const partition of partitionsOf(from)) {
    progress.letters += await copyLetters(ends, partition);
    progress.ends += await copyEnds(ends, partition);
  }
  await copyPauses(from, to);
  await dropOthers(ends);
  await checkAllThere(ends, progress);
  const layout = { layout: from.keys.layout };
  const done = { step: 'done', run, place: '', id: '' };
  notSuperseded(await from.run(scripts.moveStep, layout, done));
  await openForNodes(to);
}

/** After that no session begins in this partition, and no dead letter comes or goes. */
async function sealListings({ keys, run: call }: Place, partition: number, run: string) {
  const { move, sessions, dead } = keys.partition(partition);
  for (const record of [sessions, dead]) {
    const names = { move, record, sealed: keys.sealed(record) };
    notSuperseded(await call(scripts.keySeal, names, { run, mark: MOVED_MARK }));
  }
}

async function sealAndCopy(ends: Ends, progress: Progress, waitMs: number): Promise<void> {
  const held = new Set<string>();
  const moveOne = async (id: string) => {
    try {
      const sealed = await sealSession(ends, id, MOVED_MARK);
      if (sealed.kind === 'held') return void held.add(id);
      held.delete(id);
      progress.sessions += 1;
      if (sealed.kind === 'damaged') return void progress.damaged.push(id);
      const copied = await copySession(ends, id);
      progress[copied.kind] += 1;
      if (copied.kind === 'copied') progress.bytes += copied.bytes;
    } catch (error) {
      setAside(progress, id, error);
    }
  };
  await forEach(allSessions(ends), AT_ONCE, moveOne);
  const untilMs = monotonicMs() + waitMs;
  while (held.size > 0) {
    progress.held = held.size;
    if (monotonicMs() > untilMs) {
      const [first] = held;
      throw laterFault(
        `${held.size} sessions are still held (${first}): wait until their leases end (lease.ttl), and run it again`,
      );
    }
    await sleep(HELD_LOOK_MS);
    for (const id of [...held]) await moveOne(id);
  }
  progress.held = 0;
}

/** Pauses of agents; those of sessions are in their states. */
async function copyPauses(from: Place, to: Place): Promise<void> {
  const { pausedAgents } = from.keys;
  const numbers = await from.ask(pausedAgents, (client) => client.hgetall(pausedAgents));
  const copies = partitionsOf(to).map((partition) => to.keys.partition(partition).paused_agents);
  for (const [agent, number] of Object.entries(numbers)) {
    for (const paused_agents of [to.keys.pausedAgents, ...copies]) {
      await to.run(pauseScripts.pauseCopy, { paused_agents }, { agent, number });
    }
  }
}

/** Sessions and letters that were copied, and have ended or gone since. */
async function dropOthers(ends: Ends): Promise<void> {
  const { to, run } = ends;
  await forEach(allSessions({ ...ends, from: to, isSealed: false }), AT_ONCE, async (id) => {
    if (!(await isGoneFrom(ends, id))) return;
    const { state: record, ...keys } = to.keys.session(id);
    const { move } = to.keys.partition(to.keys.partitionOf(id));
    notSuperseded(await to.run(scripts.sessionDrop, { ...keys, record, move }, { run, id }));
  });
  for (const partition of partitionsOf(to)) await forgetLetters(ends, partition);
}

/** Every session of the source is at the target, unless it has expired or cannot be read. */
async function checkAllThere(ends: Ends, progress: Progress): Promise<void> {
  const { to } = ends;
  const damaged = new Set(progress.damaged);
  await forEach(allSessions(ends), AT_ONCE, async (id) => {
    const { state } = to.keys.session(id);
    if ((await to.ask(state, (client) => client.exists(state))) === 1) return;
    if (damaged.has(id) || (await isGoneFrom(ends, id))) return;
    differs(progress, `missing ${id}`);
  });
  const [first] = progress.differences;
  if (first !== undefined) throw laterFault(`not everything has arrived (${first}): run it again`);
}
