import { randomBytes } from 'node:crypto';

/** `<prefix>_` and 128 random bits, URL-safe. */
export function makeId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString('base64url')}`;
}
