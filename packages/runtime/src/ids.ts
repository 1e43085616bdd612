import { randomBytes } from 'node:crypto';

/** Random bytes are drawn in blocks: one call per id would cost more than the rest of making an id. */
const POOL_BYTES = 4_096;

let pool: Buffer = Buffer.alloc(0);
let used = 0;

/** `bytes` random bytes (at most 4,096) as URL-safe base64. */
export function randomText(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  used += bytes;
  return pool.toString('base64url', used - bytes, used);
}

/** `<prefix>_` and 128 random bits, URL-safe. */
export function makeId(prefix: string): string {
  return `${prefix}_${randomText(16)}`;
}
