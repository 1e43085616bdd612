import { MOVED_MARK } from '../keys/keys.js';
import {
  type EndOptions,
  isClosed,
  openForNodes,
  openSource,
  openTarget,
  ownPartitions,
  type Target,
  takeOver,
} from './ends.js';
import { beginMove, finish } from './finish.js';
import { copyLetters } from './letters-copy.js';
import { fieldsAt } from './pieces.js';
import { laterFault, type Place, refusal } from './place.js';
import { type Progress, setAside } from './progress.js';
import * as scripts from './scripts-migrate.js';
import { copySession, type Ends, factsOf, isSameState } from './session-copy.js';
import { copyGroups, copyStream } from './stream-copy.js';
import { allSessions, verify } from './verify.js';
import { forEach, partitionsOf, sessionsIn } from './walk.js';

const AT_ONCE = 16;

export type MigrateMode = 'copy' | 'finish' | 'verify' | 'dry_run';

export type MigrateOptions = {
  readonly from: EndOptions & { readonly stream: string };
  readonly to: EndOptions & { readonly stream: string };
  readonly mode: MigrateMode;
  /** How long to wait for leases of nodes that died. */
  readonly waitMs: number;
  readonly progress: Progress;
  onNotice(text: string): void;
};

export type Migrated = {
  readonly from: string;
  readonly to: string;
  /** `complete`: nothing was left to do; nodes may start, or run already, at the target. */
  readonly kind: 'copied' | 'finished' | 'complete' | 'compared' | 'dry';
};

/**
 * Moves a data set, or does a part of that: see `sluice migrate` in docs/reference/cli.md. A run that was ended at any
 * point is repeated. Throws StartError, with the status for the process.
 */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const { mode, progress, onNotice } = options;
  const from = await openSource(options.from, onNotice);
  const target = await openTarget(from, options.to, onNotice).catch(async (error) => {
    await from.close();
    throw error;
  });
  const to = target.place;
  const names = { from: from.name, to: to.name };
  try {
    const counts = partitionsOf(from).map((partition) => listedIn(from, partition));
    progress.listed = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    const looking = { from, to, run: '', isSealed: isClosed(from) };
    if (mode === 'verify') {
      if (target.stands === 'empty') throw refusal(`--to ${to.name}: nothing was copied there yet`);
      await verify(looking, progress);
      return { ...names, kind: 'compared' };
    }
    if (mode === 'dry_run') {
      await look(looking, progress);
      return { ...names, kind: 'dry' };
    }
    if (target.stands === 'complete') return { ...names, kind: 'complete' };
    if (mode === 'finish') return { ...names, kind: await finishMove(options, { from, target }) };
    if (isClosed(from)) {
      throw refusal(
        `--from ${from.name} is closed: complete the move with --finish, or --cancel it`,
      );
    }
    const ends = await takeOver(from, target);
    await copyAll(ends, progress);
    await copyStreams(options, ends);
    return { ...names, kind: 'copied' };
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

function listedIn({ keys, ask, layout }: Place, partition: number): Promise<number> {
  const { sessions } = keys.partition(partition);
  const listing = layout.moved_id === undefined ? sessions : keys.sealed(sessions);
  return ask(listing, (client) => client.zcard(listing)).catch(() => 0);
}

/** A pass while nodes run at the source: it changes nothing there. */
async function copyAll(ends: Ends, progress: Progress): Promise<void> {
  await forEach(allSessions(ends), AT_ONCE, async (id) => {
    progress.sessions += 1;
    try {
      const copied = await copySession(ends, id);
      progress[copied.kind] += 1;
      if (copied.kind === 'copied') progress.bytes += copied.bytes;
    } catch (error) {
      setAside(progress, id, error);
    }
  });
  for (const partition of partitionsOf(ends.from)) {
    progress.letters += await copyLetters(ends, partition);
  }
}

async function copyStreams(options: MigrateOptions, { from, to }: Ends): Promise<void> {
  if (await isOneStream(options, from, to)) return;
  await copyStream({ from, to, source: options.from.stream, target: options.to.stream });
}

/** In one Redis both may have the same stream. */
async function isOneStream({ from, to }: MigrateOptions, a: Place, b: Place): Promise<boolean> {
  if (from.stream !== to.stream) return false;
  const servers = new Set(await a.servers());
  return (await b.servers()).some((id) => servers.has(id));
}

type Both = { readonly from: Place; readonly target: Target };

async function finishMove(options: MigrateOptions, { from, target }: Both): Promise<'finished'> {
  const { progress, waitMs } = options;
  const to = target.place;
  if (target.stands !== 'opening') {
    const nodes = await from.nodes();
    if (nodes.length > 0) {
      throw laterFault(
        `nodes are running at --from ${from.name} (${nodes.join(', ')}): drain them all, then run it again`,
      );
    }
    const ends = await takeOver(from, target);
    if ((await beginMove(ends)) === 'begun') {
      await copyStreams(options, ends);
      if (!(await isOneStream(options, from, to))) {
        const streams = { source: options.from.stream, target: options.to.stream };
        await copyGroups({ from, to, ...streams });
      }
      await finish({ ...ends, isSealed: true }, progress, waitMs);
      return 'finished';
    }
  }
  await openForNodes(to);
  return 'finished';
}

async function look(ends: Ends, progress: Progress): Promise<void> {
  await forEach(allSessions(ends), AT_ONCE, async (id) => {
    progress.sessions += 1;
    try {
      const { state } = ends.to.keys.session(id);
      const [facts, known] = await Promise.all([factsOf(ends, id), fieldsAt(ends.to, state)]);
      if (facts.state.size === 0) progress.gone += 1;
      else progress[isSameState(facts.state, known) ? 'same' : 'copied'] += 1;
    } catch (error) {
      setAside(progress, id, error);
    }
  });
}

/**
 * Opens the source again after a move that was begun and will not be completed. The target is not needed. Returns what
 * it found: `done`, the move is complete and cannot be taken back; `none`, none was under way.
 */
export async function cancelMove(
  options: EndOptions,
  onNotice: (text: string) => void,
): Promise<'cancelled' | 'none' | 'done'> {
  const from = await openSource(options, onNotice);
  try {
    if (from.layout.moved_done !== undefined) return 'done';
    const layout = { layout: from.keys.layout };
    const about = { run: `cancel-${Date.now()}`, place: 'nowhere', id: '' };
    if (isClosed(from)) {
      // From here on no other run can complete the move.
      const word = await from.run(scripts.moveStep, layout, { ...about, step: 'begin' });
      if (word === 'done') return 'done';
    }
    await ownPartitions(from, undefined);
    const mark = { mark: MOVED_MARK };
    const open = (record: string) =>
      from.run(scripts.keyUnseal, { record, sealed: from.keys.sealed(record) }, mark);
    for (const partition of partitionsOf(from)) {
      const { sessions, dead } = from.keys.partition(partition);
      await open(sessions);
      await open(dead);
      await forEach(sessionsIn(from, partition, false), AT_ONCE, async (id) => {
        await open(from.keys.session(id).state);
      });
    }
    const word = await from.run(scripts.moveStep, layout, { ...about, step: 'cancel' });
    return word === 'cancelled' || word === 'done' ? word : 'none';
  } finally {
    await from.close();
  }
}
