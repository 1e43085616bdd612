import { parseArgs } from 'node:util';
import { otherCheckout, type ProgramName, programNames } from './programs/programs.js';
import type { Result } from './report/rows.js';

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One option of a command. */
export type Option<T> = {
  readonly what: string;
  readonly fallback: T;
  parse(text: string): T | undefined;
  /** The expected value, in words, for when `parse` returns undefined. */
  readonly wanted: string;
};

export const whole = (fallback: number, what: string, min = 1): Option<number> => ({
  what,
  fallback,
  wanted: `a whole number, ${min} or more`,
  parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= min ? Number(text) : undefined),
});

export const duration = (fallback: string, what: string): Option<string> => ({
  what,
  fallback,
  wanted: 'a duration, as 500ms, 10s or 5m',
  parse: (text) => (/^\d+(\.\d+)?(ms|s|m|h)$/.test(text) ? text : undefined),
});

/** An option whose value is some of a list, as `a,b`. */
export const some = <T extends string>(
  names: readonly T[],
  what: string,
): Option<readonly T[]> => ({
  what,
  fallback: names,
  wanted: `some of ${names.join(',')}`,
  parse: (text) => {
    const found = text.split(',').map((name) => names.find((known) => known === name));
    return found.some((name) => name === undefined) ? undefined : found.flatMap((it) => it ?? []);
  },
});

type Options = Readonly<Record<string, Option<unknown>>>;
type ValuesOf<T extends Options> = {
  readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never;
};

export type Compared = { readonly programs: readonly ProgramName[] };

/** A parsed command, ready to run. */
export type Started = {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  readonly keep: string | undefined;
  run(): Promise<Result>;
};

export type Command = {
  readonly name: string;
  readonly what: string;
  /** One line per option. */
  readonly optionLines: readonly string[];
  /** Throws `UsageError`. */
  parse(args: readonly string[]): Started;
};

export type CommandParts<T extends Options> = {
  readonly name: string;
  readonly what: string;
  readonly programs: readonly ProgramName[];
  readonly options: T;
  run(values: ValuesOf<T> & Compared): Promise<Result>;
};

const flags = {
  json: { type: 'boolean', default: false },
  keep: { type: 'string' },
} as const;

function valuesOf(name: string, options: Options, args: readonly string[]) {
  const texts = Object.fromEntries(
    Object.keys(options).map((option) => [option, { type: 'string' as const }]),
  );
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({ args: [...args], options: { ...texts, ...flags } }).values;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\. .*/s, '') : String(error);
    throw new UsageError(`${name}: ${why}`);
  }
  const value = ([option, { parse, fallback, wanted }]: [string, Option<unknown>]) => {
    const text = given[option];
    if (text === undefined) return [option, fallback];
    const parsed = parse(String(text));
    if (parsed === undefined) throw new UsageError(`${name}: --${option} ${text}: give ${wanted}`);
    return [option, parsed];
  };
  return { given, values: Object.fromEntries(Object.entries(options).map(value)) };
}

/** Without BIN the program `other` is not offered. */
function programsOf(known: readonly ProgramName[]): Option<readonly ProgramName[]> {
  const fitting = programNames.filter((name) => known.includes(name));
  const isThere = (name: ProgramName) => name !== 'other' || otherCheckout() !== undefined;
  const option = some(fitting.filter(isThere), 'programs to measure, one after the other');
  return fitting.every(isThere)
    ? option
    : { ...option, wanted: `${option.wanted}; other needs BIN=<a built checkout>` };
}

export function defineCommand<const T extends Options>(parts: CommandParts<T>): Command {
  const options = { ...parts.options, programs: programsOf(parts.programs) };
  const line = ([name, { what, fallback }]: [string, Option<unknown>]) =>
    `--${name.padEnd(14)} ${what} (${fallback === '' ? 'none' : fallback})`;
  return {
    name: parts.name,
    what: parts.what,
    optionLines: Object.entries(options).map(line),
    parse: (args) => {
      const { given, values } = valuesOf(parts.name, options, args);
      return {
        parameters: values,
        json: given.json === true,
        keep: typeof given.keep === 'string' ? given.keep : undefined,
        run: () => parts.run(values),
      };
    },
  };
}
