import { randomBytes } from 'node:crypto';

/** Drawn at once: a call for each id costs more than all else of an id. */
const POOL_BYTES = 4_096;

let pool: Buffer = Buffer.alloc(0);
let used = 0;

/** So many random bytes (at most 4,096), URL-safe. */
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
