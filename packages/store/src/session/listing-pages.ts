import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';

/**
 * A member of a listing, which is one sorted set per partition. All together are ordered by score, then
 * by partition, then by member, highest first, as Redis orders one set.
 */
export type Place = {
  readonly score: number;
  readonly partition: number;
  readonly member: string;
};

/** Where a page ended. Without `member` no two members of a partition may have one score. */
export type PageEnd = Omit<Place, 'member'> & { readonly member?: string };

type Listing = {
  keyIn(partition: number): string;
  readonly after: PageEnd | undefined;
  readonly count: number;
};

/** The lowest `count` places after `after`, with scores up to `until`; no two of a partition may have one score. */
export async function oldestMembers(
  connection: Connection,
  keys: Keys,
  { keyIn, after, count, until }: Listing & { readonly until: number },
) {
  const isBehind = ({ score, partition }: Place) =>
    after === undefined ||
    score > after.score ||
    (score === after.score && partition > after.partition);
  const inPartition = async (partition: number): Promise<Place[]> => {
    const limits = [after?.score ?? '-inf', until, 'WITHSCORES', 'LIMIT', 0, count + 2] as const;
    const key = keyIn(partition);
    const flat = await connection.ask(key, (client) => client.zrangebyscore(key, ...limits));
    const places: Place[] = [];
    for (let at = 0; at + 1 < flat.length; at += 2) {
      places.push({ score: Number(flat[at + 1]), partition, member: flat[at] ?? '' });
    }
    return places.filter(isBehind);
  };
  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const found = (await Promise.all(partitions.map(inPartition))).flat();
  found.sort((a, b) => a.score - b.score || a.partition - b.partition);
  return { places: found.slice(0, count), hasMore: found.length > count };
}

/** The highest `count` places that come after `after`, and whether others follow. Changes nothing (E7). */
export async function newestMembers(connection: Connection, keys: Keys, listing: Listing) {
  const { after, count } = listing;

  function isBehind({ score, partition, member }: Place): boolean {
    if (after === undefined || score !== after.score) return true;
    if (partition !== after.partition) return partition < after.partition;
    return after.member !== undefined && member < after.member;
  }

  /** Reads one more than is shown, to know whether others follow. */
  async function inPartition(partition: number): Promise<Place[]> {
    const places: Place[] = [];
    const key = listing.keyIn(partition);
    const size = count + 1;
    // Some of those with the score of `after` were on the page before: read on until there are enough.
    for (let from = 0; places.length < size; from += size) {
      const limits = [after?.score ?? '+inf', '-inf', 'WITHSCORES', 'LIMIT', from, size] as const;
      const flat = await connection.ask(key, (client) => client.zrevrangebyscore(key, ...limits));
      for (let at = 0; at + 1 < flat.length; at += 2) {
        const place = { score: Number(flat[at + 1]), partition, member: flat[at] ?? '' };
        if (isBehind(place)) places.push(place);
      }
      if (flat.length < 2 * size) break;
    }
    return places;
  }

  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const found = (await Promise.all(partitions.map(inPartition))).flat();
  found.sort(
    (a, b) => b.score - a.score || b.partition - a.partition || (a.member < b.member ? 1 : -1),
  );
  return { places: found.slice(0, count), hasMore: found.length > count };
}
