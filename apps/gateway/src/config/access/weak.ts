import { readFileSync } from 'node:fs';
import type { SecretKind } from '../secret.js';

/** 16 characters of a random token are at least 64 bits; RFC 7518, 3.2 requires 256 bits for HS256. */
const LENGTH_MIN: Readonly<Record<SecretKind, number>> = { token: 16, shared: 32, public_key: 0 };
/** A text with fewer different characters is easy to guess; 16 random hexadecimal digits nearly always have 6. */
const DISTINCT_MIN = 6;
/** A sequence is a text in which this share of steps goes to a neighbour, or nowhere: `abcd`, `4321`. */
const SEQUENCE_PART = 0.8;

const common = new Set(
  readFileSync(new URL('../../../data/weak-secrets.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => spellings(line)),
);

/** Why a secret could be guessed, without any part of the secret; undefined: it may be used. */
export function weakness(kind: SecretKind, value: string): string | undefined {
  if (kind === 'public_key') return undefined;
  const min = LENGTH_MIN[kind];
  if (spellings(value).some((spelling) => common.has(spelling))) {
    return 'is in the list of common and example secrets';
  }
  if (value.length < min) return `has ${value.length} characters, at least ${min} are needed`;
  if (isRepeated(value)) return 'repeats one short text';
  if (new Set(value).size < DISTINCT_MIN) return 'is made of too few different characters';
  if (isSequence(value)) return 'is a sequence of neighbouring characters';
  return undefined;
}

export const MAKE_ONE = 'make one with: openssl rand -hex 32';

/** The text in lower case: as written, without punctuation, and without digits around it. */
function spellings(value: string): string[] {
  const plain = value.toLowerCase().replace(/[^a-z0-9]/g, '');
  const word = plain.replace(/^\d+|\d+$/g, '');
  return [value.toLowerCase(), plain, word].filter(Boolean);
}

/** `changemechangeme`: the text is found in its own double, from its middle on or earlier. */
function isRepeated(value: string): boolean {
  const period = `${value}${value}`.indexOf(value, 1);
  return period <= value.length / 2;
}

function isSequence(value: string): boolean {
  let steps = 0;
  for (let at = 1; at < value.length; at++) {
    if (Math.abs(value.charCodeAt(at) - value.charCodeAt(at - 1)) <= 1) steps++;
  }
  return steps >= SEQUENCE_PART * (value.length - 1);
}
