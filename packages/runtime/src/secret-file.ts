import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitStatus, StartError } from './exit-status.js';

/** Answers the secret as it is now: one from a file follows the file (rotation). */
export type Secret = () => string;

export type SecretFile = {
  readonly file: string;
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.remote.secret_file`. */
  readonly key: string;
  /** What is wrong with a value, without the value; undefined: it can be used. */
  check?(value: string): string | undefined;
  /** The file has become one that cannot be used; told once until it can be again. */
  onFault?: OnSecretFault;
};

export type SecretFault = { readonly key: string; readonly file: string; readonly fault: string };
export type OnSecretFault = (fault: SecretFault) => void;

/** For the log, with a SecretFault. */
export const SECRET_NOT_READ =
  'a secret could not be read anew: what was valid before stays valid; put the file right';

/**
 * Reads a secret's file now and again whenever it is another one: changed, or swapped behind a symbolic
 * link as Kubernetes does, where both may be of the same time. A file that vanishes, is empty or holds
 * what cannot be used leaves the last known secret in force. Throws StartError when it cannot begin.
 */
export function secretFromFile({ file, baseDir, key, check, onFault }: SecretFile): Secret {
  const path = resolve(baseDir, file);
  let value = '';
  let seen = '';
  let told = '';
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
      told = '';
    } catch (error) {
      const fault = reasonOf(error);
      if (fault !== told) onFault?.({ key, file: path, fault });
      told = fault;
    }
    return value;
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
