import { makeId, randomText } from '@sluice/runtime';
import {
  LAYOUT_BEFORE,
  LAYOUT_INCOMING,
  LAYOUT_MOVED,
  LAYOUT_OPENING,
  LAYOUT_VERSION,
} from '../cluster/layout.js';
import type { RedisAddress } from '../redis/address.js';
import { openPlace, type Place, refusal } from './place.js';
import type { Ends } from './session-copy.js';
import { partitionsOf } from './walk.js';

export type EndOptions = {
  readonly address: RedisAddress;
  readonly prefix: string;
  readonly partitions?: number | undefined;
};

/** Bytes of the name of a run: names under which copies lie have it. */
const RUN_BYTES = 6;

/** Opens the source. Throws StartError (78) when there is nothing that this release can move. */
export async function openSource(
  options: EndOptions,
  onNotice: (text: string) => void,
): Promise<Place> {
  const place = await openPlace({ ...options, partitions: undefined, onNotice });
  const { version, moved_version: before } = place.layout;
  const found = version === LAYOUT_MOVED ? before : version;
  if (Number(found) === LAYOUT_VERSION) return place;
  await place.close();
  const where = `--from ${place.name}`;
  if (found === undefined) {
    throw refusal(`${where}: there is no data under this prefix; name the right --prefix`);
  }
  if (found === LAYOUT_INCOMING || found === LAYOUT_OPENING) {
    throw refusal(`${where}: a move to there is not complete; complete that first with --finish`);
  }
  const old = 'start a node of this release on it once, which takes the data over';
  const todo = Number(found) === LAYOUT_BEFORE ? old : 'use the release that wrote it';
  throw refusal(`${where} has layout ${found}, and this release moves ${LAYOUT_VERSION}: ${todo}`);
}

/** The id of the data that is moved; the layout of the target names it. */
export const sourceId = ({ layout }: Place) => layout.moved_id ?? layout.id ?? '';

/** Whether the source was closed by an earlier run. */
export const isClosed = ({ layout }: Place) => layout.version === LAYOUT_MOVED;

export type Target = {
  readonly place: Place;
  /** Nothing was copied yet; the copy is not complete; it is, and is being opened; nodes may run there. */
  readonly stands: 'empty' | 'incoming' | 'opening' | 'complete';
};

/** Opens the target. Throws StartError (78) when it has other data, other partitions or running nodes. */
export async function openTarget(
  from: Place,
  options: EndOptions,
  onNotice: (text: string) => void,
): Promise<Target> {
  const partitions = options.partitions ?? from.keys.partitions;
  const place = await openPlace({ ...options, partitions, onNotice });
  try {
    return { place, stands: await judge(from, place) };
  } catch (error) {
    await place.close();
    throw error;
  }
}

async function judge(from: Place, to: Place): Promise<Target['stands']> {
  const { version, from: origin, id, partitions } = to.layout;
  const where = `--to ${to.name}`;
  if (id !== undefined && (id === from.layout.id || id === from.layout.moved_id)) {
    throw refusal(`${where} is the data of --from: give another Redis, or another --to-prefix`);
  }
  if (version === undefined) {
    if (await isEmpty(to)) return 'empty';
    throw refusal(`${where} has sessions without a layout: delete them, or take another prefix`);
  }
  const isOurs = origin === sourceId(from);
  const isIncoming = version === LAYOUT_INCOMING;
  if (!isOurs && !(isIncoming && origin === undefined)) {
    const what = isIncoming
      ? 'an unfinished copy of other data'
      : `data of its own (layout ${version})`;
    throw refusal(
      `${where} is not empty, it has ${what}: take another Redis, or another --to-prefix`,
    );
  }
  if (partitions !== undefined && Number(partitions) !== to.keys.partitions) {
    throw refusal(
      `${where}: the copy there was begun with ${partitions} partitions: give --partitions ${partitions}`,
    );
  }
  if (version === LAYOUT_OPENING) return 'opening';
  if (!isIncoming) return 'complete';
  const nodes = await to.nodes();
  if (nodes.length === 0) return 'incoming';
  throw refusal(`nodes are running at ${where} (${nodes.join(', ')}): stop them first`);
}

async function isEmpty(place: Place): Promise<boolean> {
  const listings = partitionsOf(place).map((partition) => place.keys.sessionsIn(partition));
  const counts = await Promise.all(
    listings.map((listing) => place.ask(listing, (client) => client.zcard(listing))),
  );
  return counts.every((count) => count === 0);
}

/** Marks the target as incomplete, and makes this run the only one that may write there. */
export async function takeOver(from: Place, { place: to, stands }: Target): Promise<Ends> {
  const run = randomText(RUN_BYTES);
  const { layout } = to.keys;
  if (stands === 'empty') {
    const isFirst = await to.ask(layout, (client) =>
      client.hsetnx(layout, 'version', LAYOUT_INCOMING),
    );
    if (isFirst === 0) throw refusal(`--to ${to.name} was taken by others just now: run it again`);
  }
  if (to.layout.from === undefined) {
    const about = { partitions: to.keys.partitions, id: makeId('data'), from: sourceId(from) };
    await to.ask(layout, (client) => client.hset(layout, about));
  }
  await ownPartitions(to, run);
  // Asked after that: who opens the target says so before it takes the partitions from all runs.
  const version = await to.ask(layout, (client) => client.hget(layout, 'version'));
  if (version === LAYOUT_INCOMING) return { from, to, run, isSealed: isClosed(from) };
  await ownPartitions(to, undefined);
  throw refusal(`--to ${to.name} was completed by another run just now`);
}

/** Lets nodes start at the target. No run of a move changes anything there any more. */
export async function openForNodes(to: Place): Promise<void> {
  const { layout } = to.keys;
  await to.ask(layout, (client) => client.hset(layout, 'version', LAYOUT_OPENING));
  await ownPartitions(to, undefined);
  await to.ask(layout, (client) => client.hset(layout, 'version', LAYOUT_VERSION));
}

/** From now on no earlier run changes anything in these partitions. */
export async function ownPartitions(place: Place, run: string | undefined): Promise<void> {
  const keys = partitionsOf(place).map((partition) => place.keys.partition(partition).move);
  await Promise.all(
    keys.map((key) =>
      place.ask<unknown>(key, (client) =>
        run === undefined ? client.del(key) : client.set(key, run),
      ),
    ),
  );
}
