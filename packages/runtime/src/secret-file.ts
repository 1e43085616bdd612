import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitStatus, StartError } from './exit-status.js';

/** Returns the current secret: one from a file follows the file (rotation). */
export type Secret = () => string;

export type SecretFile = {
  readonly file: string;
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.remote.secret_file`. */
  readonly key: string;
  /** Returns what is wrong with a value, without the value; undefined if it can be used. */
  check?(value: string): string | undefined;
  /** Called when the file cannot be used any more: once per fault until it can be used again. */
  onFault?: OnSecretFault;
};

export type SecretFault = { readonly key: string; readonly file: string; readonly fault: string };
export type OnSecretFault = (fault: SecretFault) => void;

/** For the log, with a SecretFault. */
export const SECRET_NOT_READ =
  'a secret could not be read anew: what was valid before stays valid; put the file right';

/**
 * Reads the file of a secret now, and again when it was changed or replaced behind a symbolic link, as
 * Kubernetes does, where both files may have the same time. While the file is missing, empty or unusable,
 * the last known secret stays in use. Throws StartError if the first read fails.
 */
export function secretFromFile({ file, baseDir, key, check, onFault }: SecretFile): Secret {
  const path = resolve(baseDir, file);
  let value = '';
  let seen = '';
  let reported = '';
  const refresh = () => {
    const { ino, mtimeMs, size } = statSync(path);
    const now = `${ino} ${mtimeMs} ${size}`;
    if (now === seen) return;
    const text = readFileSync(path, 'utf8').trim();
    const fault = text === '' ? 'it is empty' : check?.(text);
    if (fault) throw new Error(fault);
    value = text;
    seen = now;
  };
  try {
    refresh();
  } catch (error) {
    throw new StartError(`${key}: cannot read ${path}: ${reasonOf(error)}`, exitStatus.config);
  }
  return () => {
    try {
      refresh();
      reported = '';
    } catch (error) {
      const fault = reasonOf(error);
      if (fault !== reported) onFault?.({ key, file: path, fault });
      reported = fault;
    }
    return value;
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
