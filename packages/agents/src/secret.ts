import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitStatus, StartError } from '@sluice/runtime';

/** Answers the secret as it is now: one from a file follows the file (rotation). */
export type Secret = () => string;

export type SecretFile = {
  readonly file: string;
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.remote.secret_file`. */
  readonly key: string;
};

/**
 * Reads a secret's file now and again whenever it is another one: changed, or swapped behind a symbolic
 * link as Kubernetes does, where both may be of the same time. A file that
 * vanishes or is empty for a moment (being replaced) leaves the last known secret in force.
 */
export function secretFromFile({ file, baseDir, key }: SecretFile): Secret {
  const path = resolve(baseDir, file);
  let value = '';
  let seen = '';
  const refresh = () => {
    const { ino, mtimeMs, size } = statSync(path);
    const now = `${ino} ${mtimeMs} ${size}`;
    if (now === seen) return;
    const text = readFileSync(path, 'utf8').trim();
    if (text === '') throw new Error('it is empty');
    value = text;
    seen = now;
  };
  try {
    refresh();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${key}: cannot read ${path}: ${why}`, exitStatus.config);
  }
  return () => {
    try {
      refresh();
    } catch {
      // The last known value stays.
    }
    return value;
  };
}
