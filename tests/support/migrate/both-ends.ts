import { makeKeys } from '@sluice/store';
import type { Redis } from 'ioredis';
import { valueIn } from '../scripts/scripts-world.js';

const TYPES = ['state', 'inbox', 'events', 'messages', 'seen', 'dead'] as const;

/** Every value of a session, as it is compared between both ends of a move. */
export type Stored = Readonly<Record<string, unknown>>;

export type EndAt = {
  readonly client: Redis;
  readonly prefix: string;
  readonly partitions: number;
  /** A move has closed it. */
  readonly isSealed?: boolean;
};

/** The sessions of one end, read by SCAN and not by the code under test; `expires`: in whole minutes. */
export async function storedAt({ client, prefix, isSealed }: EndAt): Promise<Map<string, Stored>> {
  const found = new Map<string, Record<string, unknown>>();
  const keyOf = new RegExp(`^${prefix}:\\{p\\d+\\}:s:(.+):(${TYPES.join('|')})(:sealed)?$`);
  for (const key of await client.keys(`${prefix}:{p*}:s:*`)) {
    const [, id = '', type = '', sealed] = keyOf.exec(key) ?? [];
    if (id === '' || (type === 'state' && Boolean(sealed) !== Boolean(isSealed))) continue;
    const session = found.get(id) ?? {};
    const value = await valueIn(client, key);
    session[type] = type === 'state' && Array.isArray(value) ? value.filter(byLease) : value;
    const ms = await client.pttl(key);
    session[`${type} expires`] = ms < 0 ? ms : Math.round(ms / 60_000);
    found.set(id, session);
  }
  return found;
}

const byLease = (field: unknown) => !(Array.isArray(field) && field[0] === 'lease_until');

/** Members of the listings of all partitions, sorted. */
export async function listedAt({ client, prefix, partitions, isSealed }: EndAt) {
  const keys = makeKeys(prefix, partitions);
  const every = Array.from({ length: partitions }, (_, at) => keys.partition(at));
  const at = (key: string) => (isSealed ? keys.sealed(key) : key);
  const membersOf = async (names: readonly string[]) => {
    const lists = await Promise.all(names.map((name) => client.zrange(name, 0, '-1')));
    return lists.flat().sort();
  };
  return {
    sessions: await membersOf(every.map(({ sessions }) => at(sessions))),
    dead: await membersOf(every.map(({ dead }) => at(dead))),
    pending: await membersOf(every.map(({ pending }) => pending)),
    held: await membersOf(every.map(({ held }) => held)),
  };
}

export async function layoutAt(client: Redis, prefix: string) {
  return await client.hgetall(`${prefix}:layout`);
}
