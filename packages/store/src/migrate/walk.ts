import type { Place } from './place.js';

/** Members of a listing that one call returns, about. */
const PAGE = 200;

/** Members and scores of a sorted set, page by page; one that is there all the time comes at least once. */
export async function* scoredIn(
  place: Place,
  key: string,
): AsyncGenerator<{ readonly member: string; readonly score: string }[]> {
  let cursor = '0';
  do {
    const [next, flat] = await place.ask(key, (client) => client.zscan(key, cursor, 'COUNT', PAGE));
    const page: { member: string; score: string }[] = [];
    for (let at = 0; at + 1 < flat.length; at += 2) {
      page.push({ member: flat[at] ?? '', score: flat[at + 1] ?? '' });
    }
    yield page;
    cursor = next;
  } while (cursor !== '0');
}

/** Ids of the sessions of a partition: those that are listed, then others that have work or a holder. */
export async function* sessionsIn(
  place: Place,
  partition: number,
  isSealed: boolean,
): AsyncGenerator<string[]> {
  const { sessions, pending, held } = place.keys.partition(partition);
  const listing = isSealed ? place.keys.sealed(sessions) : sessions;
  for await (const page of scoredIn(place, listing)) yield page.map(({ member }) => member);
  for (const other of [pending, held]) {
    for await (const page of scoredIn(place, other)) {
      if (page.length === 0) continue;
      const ids = page.map(({ member }) => member);
      const listed = await place.ask(listing, (client) => client.zmscore(listing, ...ids));
      yield ids.filter((_, at) => listed[at] === null);
    }
  }
}

export const partitionsOf = ({ keys }: Place) =>
  Array.from({ length: keys.partitions }, (_, partition) => partition);

/** Runs `work` for each, at most `atOnce` at a time; the first failure ends it, after those under way. */
export async function forEach<T>(
  items: AsyncIterable<readonly T[]>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for await (const some of items) {
    for (const item of some) {
      if (underWay.size >= atOnce) await Promise.race(underWay);
      if (failure) break;
      const one: Promise<void> = work(item)
        .catch((error) => {
          failure ??= { error };
        })
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    if (failure) break;
  }
  await Promise.all(underWay);
  if (failure) throw failure.error;
}
