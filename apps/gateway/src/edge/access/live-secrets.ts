import { readFile } from 'node:fs/promises';
import { type Logger, SECRET_NOT_READ } from '@sluice/runtime';
import { MAKE_ONE, weakness } from '../../config/access/weak.js';
import { malformation, type Secret, splitSecret } from '../../config/secret.js';

/** An old secret is valid for at most this long after its file has changed. */
const LOOK_INTERVAL_MS = 1_000;

export type LiveSecrets = {
  /** The values that are valid now. */
  valuesOf(secret: Secret): readonly string[];
  /** Changes whenever some value has changed. */
  readonly version: number;
  stop(): void;
};

/**
 * Follows the files of secrets, so that new ones count without a restart. The content is read each second: that is a
 * few bytes, and sees every way in which files are replaced. Watching would miss network file systems, and the secrets
 * that Kubernetes mounts: it swaps their directory behind a symbolic link. A file that vanishes, or whose content
 * would be refused at start, changes nothing.
 */
export function followSecrets(secrets: readonly Secret[], log: Logger): LiveSecrets {
  const values = new Map(secrets.map((secret) => [secret, secret.values]));
  const faults = new Map<Secret, string>();
  let version = 0;

  const tell = (secret: Secret, fault: string) => {
    if (faults.get(secret) === fault) return;
    faults.set(secret, fault);
    log.error({ key: secret.key, file: secret.file, fault }, SECRET_NOT_READ);
  };

  const look = async (secret: Secret, file: string) => {
    const read = await readAnew(secret, file);
    if ('fault' in read) return tell(secret, read.fault);
    faults.delete(secret);
    if (isSame(read.values, values.get(secret) ?? [])) return;
    values.set(secret, read.values);
    version++;
    log.info({ key: secret.key, values: read.values.length }, 'a secret was read anew');
  };

  const followed = secrets.flatMap((secret) =>
    secret.file === null ? [] : [{ secret, file: secret.file }],
  );
  let looking = false;
  const lookAtAll = async () => {
    // While a file system hangs, no further reads are begun.
    if (looking) return;
    looking = true;
    for (const { secret, file } of followed) await look(secret, file);
    looking = false;
  };
  const timer = followed.length > 0 ? setInterval(lookAtAll, LOOK_INTERVAL_MS) : undefined;
  return {
    valuesOf: (secret) => values.get(secret) ?? secret.values,
    get version() {
      return version;
    },
    stop: () => clearInterval(timer),
  };
}

/** Builds again only when some secret has changed. */
export function whileUnchanged<T>(live: LiveSecrets, build: () => T): () => T {
  let built = build();
  let version = live.version;
  return () => {
    if (version !== live.version) {
      version = live.version;
      built = build();
    }
    return built;
  };
}

type Read = { readonly values: readonly string[] } | { readonly fault: string };

/** Reads a secret's file again. A fault says what is wrong, and nothing of the secret (X6). */
async function readAnew({ kind, mayBeWeak }: Secret, file: string): Promise<Read> {
  try {
    const values = splitSecret(kind, await readFile(file, 'utf8'));
    const malformed = malformation(kind, values);
    if (malformed) return { fault: `it ${malformed}` };
    const weak = values.map((value) => weakness(kind, value)).find(Boolean);
    return weak && !mayBeWeak ? { fault: `it ${weak}; ${MAKE_ONE}` } : { values };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return { fault: `cannot read it (${code})` };
  }
}

const isSame = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((value, at) => value === b[at]);
