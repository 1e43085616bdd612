import { createHash } from 'node:crypto';
import type { Place } from './place.js';

/** Bytes that one piece of a key should have; a single element may be larger. */
const PIECE_BYTES = 256 * 1024;
const FIRST_COUNT = 16;
const COUNT_MAX = 1_000;
/** What a killed run has left under names of its own goes by itself. */
const STAGED_MS = 10 * 60_000;

export type Kind = 'list' | 'zset' | 'stream';
/** One element: the value; member and score; or the id of an entry and its fields. */
type Row = readonly Buffer[];

/** Number of elements and a checksum over them all, in order. */
export type Digest = { readonly count: number; readonly sha: string; readonly bytes: number };

type KeyAt = { readonly place: Place; readonly key: string; readonly kind: Kind };

/** Calls `take` with the elements of a key, in order, in pieces of about 256 KiB. */
async function eachPiece(
  { place, key, kind }: KeyAt,
  take: (rows: readonly Row[]) => Promise<unknown> | undefined,
): Promise<Digest> {
  const hash = createHash('sha256');
  let [count, bytes, asked, after] = [0, 0, FIRST_COUNT, '-'];
  for (;;) {
    const rows = await place.ask<Row[]>(key, async (client) => {
      if (kind === 'list') {
        const values = await client.lrangeBuffer(key, count, count + asked - 1);
        return values.map((value) => [value]);
      }
      if (kind === 'zset') {
        return inPairs(await client.zrangeBuffer(key, count, `${count + asked - 1}`, 'WITHSCORES'));
      }
      const entries = await client.xrangeBuffer(key, after, '+', 'COUNT', asked);
      return entries.map(([id, fields]) => [Buffer.from(id), ...fields]);
    });
    let pieceBytes = 0;
    for (const row of rows) {
      for (const part of row) {
        hash.update(`${part.length} `).update(part);
        pieceBytes += part.length;
      }
      hash.update('\n');
    }
    if (rows.length > 0) await take(rows);
    count += rows.length;
    bytes += pieceBytes;
    if (rows.length < asked) return { count, bytes, sha: hash.digest('base64') };
    after = `(${rows.at(-1)?.[0]}`;
    const fits = Math.floor((asked * PIECE_BYTES) / Math.max(1, pieceBytes));
    asked = Math.max(1, Math.min(fits, 4 * asked, COUNT_MAX));
  }
}

function inPairs(flat: readonly Buffer[]): Row[] {
  const rows: Row[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) rows.push(flat.slice(at, at + 2));
  return rows;
}

export const digestOf = (at: KeyAt): Promise<Digest> => eachPiece(at, () => undefined);

/**
 * Copies a key to a name that does not exist, element by element: the payload of DUMP is refused by older servers, and
 * comes in one piece. What was written is read back. Returns undefined when that differs.
 */
export async function copyKey(from: KeyAt, to: Omit<KeyAt, 'kind'>): Promise<Digest | undefined> {
  const { kind } = from;
  const { place, key } = to;
  const read = await eachPiece(from, (rows) =>
    place.ask(key, (client) => {
      const written: Promise<unknown>[] = [];
      if (kind === 'list') written.push(client.rpush(key, ...rows.flat()));
      if (kind === 'zset') {
        const scored = rows.flatMap(([member, score]) => [score ?? '', member ?? '']);
        written.push(client.zadd(key, ...scored));
      }
      if (kind === 'stream') {
        for (const [id, ...fields] of rows) written.push(client.xadd(key, id ?? '*', ...fields));
      }
      return Promise.all([...written, client.pexpire(key, STAGED_MS)]);
    }),
  );
  const back = await digestOf({ place, key, kind });
  return back.sha === read.sha ? read : undefined;
}

/** The same for a hash, whose fields have no order; it is small. */
export async function stageHash(place: Place, key: string, fields: Fields): Promise<void> {
  const flat = [...fields].flat();
  await place.ask(key, (client) =>
    Promise.all([client.hset(key, ...flat), client.pexpire(key, STAGED_MS)]),
  );
}

export type Fields = ReadonlyMap<string, Buffer>;

export async function fieldsAt(place: Place, key: string): Promise<Fields> {
  return new Map(Object.entries(await place.ask(key, (client) => client.hgetallBuffer(key))));
}
