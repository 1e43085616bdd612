import { isIP } from 'node:net';
import { parseBytes, parseDurationMs } from '@sluice/runtime';
import { z } from 'zod';

/** A timer of Node that is set to more than this fires at once (2^31 - 1 ms, 24.8 days). */
const TIMER_MAX_MS = 2_147_483_647;

/**
 * One value of the configuration. Text from flags and environment is understood like YAML. `allowed` says in the fault
 * what to give; `parse` returns undefined for a fault; the fault of a `secret` does not show its value.
 */
export function leaf<T>(
  allowed: string | ((value: unknown) => string),
  parse: (value: unknown) => T | undefined,
  secret = false,
) {
  return z.unknown().transform((value, context): T => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    const given = typeof allowed === 'string' ? allowed : allowed(value);
    context.issues.push({ code: 'custom', input: value, message: refuse(value, given, secret) });
    return z.NEVER;
  });
}

function refuse(value: unknown, allowed: string, secret: boolean): string {
  if (value === undefined) return `is missing; give ${allowed}`;
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  const shown = secret ? 'this value' : text.slice(0, 80);
  return `${shown} is not allowed; give ${allowed}`;
}

/** A mapping with exactly these keys; others are faults (see `unknownKey`). */
export function section<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping of keys' : undefined),
  });
}

const inRange = (value: number | undefined, min: number, max: number) =>
  value !== undefined && value >= min && value <= max ? value : undefined;

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER) {
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`;
  return leaf(`a whole number from ${min}${upper}`, (value) => {
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    return Number.isSafeInteger(number) ? inRange(Number(number), min, max) : undefined;
  });
}

/** A duration; the result is whole milliseconds. */
export function duration(minMs: number, maxMs = TIMER_MAX_MS) {
  const from = minMs === 0 ? 'from 0' : `of at least ${minMs} ms`;
  const days = Math.floor(maxMs / 86_400_000);
  const allowed = `a duration ${from}, at most ${days} days: seconds or "500ms", "10s", "5m", "24h"`;
  return leaf(allowed, (value) => {
    const ms = parseDurationMs(value);
    return inRange(ms === undefined ? ms : Math.round(ms), minMs, maxMs);
  });
}

/** A size; the result is bytes. */
export function size(max = Number.MAX_SAFE_INTEGER, min: 0 | 1 = 1) {
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max / 2 ** 20} MiB`;
  return leaf(
    `a size of at least ${min} byte${min === 1 ? '' : 's'}${upper}: bytes or "64KiB", "1MiB", "2GiB"`,
    (value) => inRange(parseBytes(value), min, max),
  );
}

export function choice<const T extends string>(options: readonly T[]) {
  return leaf(`one of ${options.join(', ')}`, (value) =>
    options.find((option) => option === value),
  );
}

export const yesNo = leaf('true or false', (value) => {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
});

/** Refuses what YAML reads as a number: `007` would have lost its zeros. */
export function text(allowed: string, pattern: RegExp, secret = false) {
  const parse = (value: unknown) =>
    typeof value === 'string' && pattern.test(value) ? value : undefined;
  const hint = (value: unknown) =>
    /^(number|bigint|boolean)$/.test(typeof value) ? `${allowed}, in quotes` : allowed;
  return leaf(hint, parse, secret);
}

/** A list in YAML or JSON, or `a,b,c` from flags and environment. */
export function list<T extends z.ZodType>(item: T) {
  const split = (value: unknown) =>
    typeof value === 'string' ? value.split(',').flatMap((part) => part.trim() || []) : value;
  return z.preprocess(split, z.array(item, { error: 'must be a list' }));
}

export const url = (protocols: readonly string[], secret = false) =>
  leaf(
    `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    (value) => {
      if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
      return protocols.includes(new URL(value).protocol) ? value : undefined;
    },
    secret,
  );

export const cidr = leaf('an address range such as 10.0.0.0/8 or one address', (value) => {
  if (typeof value !== 'string') return undefined;
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return undefined;
  if (bits === undefined) return value;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128) ? value : undefined;
});
