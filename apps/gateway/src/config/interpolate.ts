import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isTree, type Path, showPath } from './tree.js';

/** What the values of a file may refer to, and where faults go: one line each. */
export type Surroundings = {
  readonly env: NodeJS.ProcessEnv;
  /** Relative paths of `${file:...}` and `*_file` begin here. */
  readonly baseDir: string;
  readonly faults: string[];
};

/** Replaces `${NAME}`, `${NAME:-default}` and `${file:/path}` in every string; `$${` stays `${`. */
export function interpolate(value: unknown, around: Surroundings, path: Path = []): unknown {
  if (typeof value === 'string') return replaceIn(value, around, path);
  if (Array.isArray(value))
    return value.map((item, at) => interpolate(item, around, [...path, at]));
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, around, [...path, key])]),
  );
}

function replaceIn(value: string, around: Surroundings, path: Path): string {
  return value.replace(/\$(\$?)\{([^}]*)\}/g, (whole, escaped: string, inner: string) => {
    if (escaped) return whole.slice(1);
    if (inner.startsWith('file:')) return readSecret(inner.slice(5), around, path) ?? '';
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$/s.exec(inner);
    if (!match) {
      around.faults.push(
        `${showPath(path)}: ${whole} is not understood; allowed are \${NAME}, \${NAME:-default} ` +
          `and \${file:/path} ($\${ for a plain \${)`,
      );
      return '';
    }
    const [, name = '', withDefault, fallback = ''] = match;
    const set = around.env[name];
    if (withDefault !== undefined) return set || fallback;
    if (set !== undefined) return set;
    around.faults.push(
      `${showPath(path)}: the environment variable ${name} is not set; ` +
        `set it, or give a default with \${${name}:-...}`,
    );
    return '';
  });
}

/** The content of a file without the line end that editors and `kubectl` add. */
export function readSecret(file: string, around: Surroundings, path: Path): string | undefined {
  try {
    return readFileSync(resolve(around.baseDir, file), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    around.faults.push(`${showPath(path)}: ${unreadable(file, error)}`);
    return undefined;
  }
}

/** Why a file cannot be read, and what to do. */
export function unreadable(file: string, error: unknown): string {
  const code = String(Object(error).code ?? error);
  const todo = todos[code] ?? 'give the path of a file that this user can read';
  return `cannot read ${file} (${code}); ${todo}`;
}

const todos: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: make it, or correct the path',
  EISDIR: 'it is a directory: give the path of a file',
  EACCES: 'this user may not: change its owner or mode',
};
