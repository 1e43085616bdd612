import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * A static token, the shared secret of signed tokens, or the public key of their signer. `values`: all that are valid
 * at once (old and new while one is replaced), as read at start.
 */
export type Secret = {
  readonly kind: 'token' | 'shared' | 'public_key';
  /** The key of the configuration, for messages. */
  readonly key: string;
  /** Absolute; null: the value stands in the configuration itself and cannot change. */
  readonly file: string | null;
  readonly values: readonly string[];
  /** False where other machines can connect: a guessable value is then refused (X3). */
  readonly mayBeWeak: boolean;
};

export type SecretKind = Secret['kind'];

/** A rotation needs no more values, and each request is compared with all of them. */
const VALUES_MAX = 8;

/** The values that a text holds: one per line, or one per PEM block. */
export function splitSecret(kind: SecretKind, text: string): string[] {
  if (kind === 'public_key') {
    const blocks = text.match(/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g);
    return blocks ?? (text.trim() === '' ? [] : [text.trim()]);
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Why these values cannot be used; never a value itself (X6). */
export function malformation(kind: SecretKind, values: readonly string[]): string | undefined {
  if (values.length === 0) return 'is empty';
  if (values.length > VALUES_MAX) return `holds more than ${VALUES_MAX} values`;
  if (kind === 'public_key') {
    return values.every(isPublicKey) ? undefined : 'is no public key in PEM that is known here';
  }
  const isVisible = values.every((value) => /^[\x21-\x7e]+$/.test(value));
  return isVisible ? undefined : 'holds other than visible ASCII characters without blanks';
}

/** Reads a secret's file now; throws what `fs` throws. */
export function readSecretFile(kind: SecretKind, file: string): string[] {
  return splitSecret(kind, readFileSync(file, 'utf8'));
}

/** Refuses a private key: Node would take it too, and it would then lie where only the public one is needed. */
function isPublicKey(pem: string): boolean {
  if (/PRIVATE KEY/.test(pem)) return false;
  try {
    return algorithmsOf(pem).length > 0;
  } catch {
    return false;
  }
}

const byCurve: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};

/**
 * The algorithms that a public key can be used with. Never a symmetric one: everybody who has the public key could then
 * sign with its text as the secret.
 */
export function algorithmsOf(pem: string): readonly string[] {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem);
  if (asymmetricKeyType === 'rsa') return ['RS256', 'RS384', 'RS512'];
  if (asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519'];
  if (asymmetricKeyType === 'ec') return byCurve[asymmetricKeyDetails?.namedCurve ?? ''] ?? [];
  return [];
}
