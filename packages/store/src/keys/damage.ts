import type { Logger } from '@sluice/runtime';

/** Most places that are named in the log: a Redis that is damaged all over must not fill the disk too. */
const NAMED_MAX = 1_000;

/** Logs data that cannot be read: once for each `where` (a session, a key, a channel). */
export type Damage = (where: string, about: Readonly<Record<string, unknown>>) => void;

/** Data in Redis may be damaged, or written by a newer release: it is set aside and logged once. */
export function makeDamageLog(log: Logger): Damage {
  const named = new Set<string>();
  return (where, about) => {
    if (named.size >= NAMED_MAX || named.has(where)) return;
    named.add(where);
    log.warn({ where, ...about }, 'data in redis is damaged or newer: set aside');
  };
}

/** For `flatMap`: lines that `decode` cannot read are left out, the others are kept. */
export const readable =
  <T>(decode: (text: string) => T) =>
  (text: string): T[] => {
    try {
      return [decode(text)];
    } catch {
      return [];
    }
  };

/** Parses a JSON object; undefined: the text is not one. */
export function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

/** Parses a JSON string; undefined: the text is not one. */
export function jsonText(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
