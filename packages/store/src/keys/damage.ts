import type { Logger } from '@sluice/runtime';

/** So many places are named in the log; a Redis that is damaged all over does not fill the disk too. */
const NAMED_MAX = 1_000;

/** Names what cannot be read: once for each `where` (a session, a key, a channel). */
export type Damage = (where: string, about: Readonly<Record<string, unknown>>) => void;

/** What Redis hands us may be damaged, or written by a newer release: it is set aside and named once. */
export function makeDamageLog(log: Logger): Damage {
  const named = new Set<string>();
  return (where, about) => {
    if (named.size >= NAMED_MAX || named.has(where)) return;
    named.add(where);
    log.warn({ where, ...about }, 'data in redis is damaged or newer: set aside');
  };
}

/** For `flatMap`: lines that cannot be read are left out, and those beside them are not. */
export const readable =
  <T>(decode: (text: string) => T) =>
  (text: string): T[] => {
    try {
      return [decode(text)];
    } catch {
      return [];
    }
  };

/** The object that a text holds; undefined: it holds none. */
export function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

/** The text that a text holds as JSON; undefined: it holds none. */
export function jsonText(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
