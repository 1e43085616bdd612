/** How deep objects and arrays may nest; deeper frames are refused (X4). */
export const MAX_NESTING = 32;

export type ExactJson =
  | { readonly kind: 'json'; readonly value: unknown }
  /** `value`: the parsed JSON, if it could be parsed, to name the refused message. */
  | { readonly kind: 'refused'; message: string; field?: string; value?: unknown };

/**
 * Parses JSON of bounded depth, or says why it is refused. JavaScript rounds whole numbers beyond 2^53 and drops
 * a key `__proto__` at the next copy: nobody would notice, so both are refused. Never throws.
 */
export function parseExactJson(text: string): ExactJson {
  if (nestsDeeperThan(text, MAX_NESTING)) {
    return refused(`JSON may nest at most ${MAX_NESTING} levels deep`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('this is not valid JSON; send one JSON object');
  }
  const proto = mayHaveProto.test(text)
    ? pathOf(value, (_, key) => key === '__proto__')
    : undefined;
  if (proto !== undefined) {
    const message = `${proto}: the key __proto__ cannot be kept; give it another name`;
    return { ...refused(message), field: proto, value };
  }
  const rounded = mayBeRounded.test(text) ? firstRounded(text) : undefined;
  if (rounded === undefined) return { kind: 'json', value };
  const { field, literal } = rounded;
  const why = `the number ${literal.slice(0, 40)} would be rounded; send it as a string`;
  return { ...refused(field === '' ? why : `${field}: ${why}`), field, value };
}

/** `\u`: an escape may hide the key. */
const mayHaveProto = /__proto__|\\u/;
/** Whole numbers of up to 15 digits are exact; floats with an exponent of up to 99 are finite. */
const mayBeRounded = /\d{16}|\d[eE]\+?0*\d{3}/;
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The first number that JavaScript would change, and the path to it. */
function firstRounded(text: string): { field: string; literal: string } | undefined {
  for (const { 0: literal, index } of text.matchAll(stringOrNumber)) {
    if (literal.startsWith('"') || isExact(literal)) continue;
    // Parse again with a mark in its place, and look for the path of the mark.
    const mark = `rounded ${index}`;
    const marked = text.slice(0, index) + JSON.stringify(mark) + text.slice(index + literal.length);
    return { field: pathOf(JSON.parse(marked), (value) => value === mark) ?? '', literal };
  }
  return undefined;
}

/**
 * Whether JavaScript keeps the number. Every digit of a whole number counts; a fraction is taken to be meant as
 * a float, whose last digits may be rounded.
 */
function isExact(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  if (!/^-?\d{16,}$/.test(literal) || String(value) === literal) return true;
  return Math.abs(value) >= 1e21 && BigInt(literal) === BigInt(value); // then written with an exponent
}

type Matches = (value: unknown, key: string) => boolean;

/** Path of the first value that matches, such as `content.items.3.id`; undefined if none does. */
function pathOf(value: unknown, matches: Matches): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (matches(inner, key)) return key;
    const below = pathOf(inner, matches);
    if (below !== undefined) return `${key}.${below}`;
  }
  return undefined;
}

const refused = (message: string) => ({ kind: 'refused', message }) as const;

/** Counts brackets outside strings, so that JSON.parse never sees a hostile depth. */
function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}
