import type { Redis } from 'ioredis';

/** Lines of history that a session keeps, as `session.max_messages` does. */
const KEPT_LINES = 1_000;

export type Line = { readonly id: string; readonly role: string; readonly content: string };

const keyOf = (session: string) => `history:${session}`;

/** Appends lines, and drops the oldest above `KEPT_LINES`. */
export async function appendLines(redis: Redis, session: string, lines: Line[]): Promise<void> {
  const key = keyOf(session);
  await redis
    .multi()
    .rpush(key, ...lines.map((line) => JSON.stringify(line)))
    .ltrim(key, -KEPT_LINES, -1)
    .exec();
}

export async function readLines(redis: Redis, session: string): Promise<Line[]> {
  return (await redis.lrange(keyOf(session), 0, -1)).map((line) => JSON.parse(line));
}
