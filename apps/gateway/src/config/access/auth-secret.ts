import { resolve } from 'node:path';
import { type Surroundings, unreadable } from '../interpolate.js';
import {
  malformation,
  readSecretFile,
  type Secret,
  type SecretKind,
  splitSecret,
} from '../secret.js';
import type { Tree } from '../tree.js';
import { MAKE_ONE, weakness } from './weak.js';

/** The tree that is checked, and where its faults and warnings go. `mayBeWeak`: see Secret. */
export type Checking = {
  readonly tree: Tree;
  readonly around: Surroundings;
  readonly warnings: string[];
  readonly mayBeWeak: boolean;
};

/** A secret by its value or its file: the keys `name` and `<name>_file` below `place`. */
export type GivenSecret = {
  readonly place: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly file: string | undefined;
};

/** Reads a secret and checks it against X3. 'faulty': its fault is added. */
export function secretOf(
  kind: SecretKind,
  { place, name, value, file }: GivenSecret,
  { around, warnings, mayBeWeak }: Checking,
): Secret | 'absent' | 'faulty' {
  if (value === undefined && file === undefined) return 'absent';
  const fail = (fault: string) => {
    around.faults.push(fault);
    return 'faulty' as const;
  };
  if (value !== undefined && file !== undefined) {
    return fail(`${place}: give ${name} or ${name}_file, not both`);
  }
  const key = `${place}.${file === undefined ? name : `${name}_file`}`;
  const path = file === undefined ? null : resolve(around.baseDir, file);
  let values: readonly string[];
  try {
    values = path === null ? splitSecret(kind, value ?? '') : readSecretFile(kind, path);
  } catch (error) {
    return fail(`${key}: ${unreadable(file ?? '', error)}`);
  }
  const malformed = malformation(kind, values);
  if (malformed) return fail(`${key}: ${malformed}; ${remedies[kind]}`);
  for (const weak of new Set(values.flatMap((one) => weakness(kind, one) ?? []))) {
    if (!mayBeWeak) return fail(`${key}: ${weak}; ${MAKE_ONE}`);
    warnings.push(`${key} ${weak}: only a loopback address takes it; ${MAKE_ONE}`);
  }
  return { kind, key, file: path, values, mayBeWeak };
}

const remedies: Readonly<Record<SecretKind, string>> = {
  token: `give one token per line; ${MAKE_ONE}`,
  shared: `give one secret per line; ${MAKE_ONE}`,
  public_key: 'give "-----BEGIN PUBLIC KEY-----" of an RSA, P-256, P-384, P-521 or Ed25519 key',
};
