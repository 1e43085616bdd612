import { z } from 'zod';
import { type Path, showPath } from './tree.js';

/** Every key path of a schema; keys of a list's items as `list[].key`. */
export function keyPaths(schema: unknown, prefix = ''): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return keyPaths(inner.element, `${prefix}[]`);
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, child]) => {
    const path = prefix ? `${prefix}.${key}` : key;
    const below = keyPaths(child, path);
    return isObject(child) ? below : [path, ...below];
  });
}

/** The keys and the mappings that hold them: a wrong name may be meant for either. */
function withSections(known: readonly string[]): string[] {
  const sections = known.flatMap((key) =>
    key.split('.').map((_, at, all) => all.slice(0, at).join('.')),
  );
  return [...new Set([...known, ...sections.filter(Boolean)])];
}

/** `unknown key gateway.drain_timout; did you mean gateway.drain_timeout?` */
export function unknownKey(
  path: Path,
  known: readonly string[],
  elsewhere = 'docs/reference/configuration.md lists all keys',
): string {
  const shown = showPath(path);
  const index = /\[\d+\]/.exec(shown)?.[0] ?? '';
  const nearest = nearestKey(shown.replace(/\[\d+\]/g, '[]'), withSections(known));
  if (nearest) return `unknown key ${shown}; did you mean ${nearest.replace('[]', index)}?`;
  return `unknown key ${shown}; ${elsewhere}`;
}

/**
 * The known key with the fewest typing errors; a right name in the wrong section counts as one error. undefined: more
 * than a third of the name would be wrong.
 */
export function nearestKey(wrong: string, known: readonly string[]): string | undefined {
  let best: { key: string; distance: number } | undefined;
  const last = lastOf(wrong);
  for (const key of known) {
    const elsewhere = 1 + typos(last, lastOf(key));
    // There are at least as many typing errors as the lengths differ by.
    const isFar = Math.abs(wrong.length - key.length) >= Math.min(elsewhere, best?.distance ?? 9);
    const distance = isFar ? elsewhere : Math.min(elsewhere, typos(wrong, key));
    if (!best || distance < best.distance) best = { key, distance };
  }
  const limit = Math.max(1, Math.ceil(last.length / 3));
  return best && best.distance <= limit ? best.key : undefined;
}

const lastOf = (path: string) => path.slice(path.lastIndexOf('.') + 1);

/** Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function typos(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        cell(row, j) + 1,
        cell(next, j - 1) + 1,
        cell(row, j - 1) + same,
        swapped ? cell(before, j - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = row;
    row = next;
  }
  return cell(row, b.length);
}

const cell = (row: readonly number[], at: number) => row[at] ?? Number.POSITIVE_INFINITY;

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap());
  // A list is a pipe: the preprocessing that splits text, then the array.
  return schema instanceof z.ZodPipe ? unwrap(schema.out) : schema;
}

const isObject = (schema: unknown) => unwrap(schema) instanceof z.ZodObject;
