import { median, rounded } from './numbers.js';

export type Value = number | string | boolean;
/** One line of a table and one object of the JSON. Names end in their unit. */
export type Row = Readonly<Record<string, Value>>;

export type Result = {
  readonly rows: readonly Row[];
  /** One program divided by another, in the same round. */
  readonly ratios?: readonly Row[];
  /** All rounds; `rows` are their medians. */
  readonly rounds?: readonly Row[];
};

export const roundedRow = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? rounded(value) : value,
    ]),
  );

/** Medians of numbers; a boolean is true if it was true in any round. */
export function medianRow(rounds: readonly Row[]): Row {
  const [first = {}] = rounds;
  const column = (name: string) => rounds.flatMap((row) => row[name] ?? []);
  const middle = (name: string, value: Value): Value => {
    if (typeof value === 'number') return median(column(name).map(Number));
    return typeof value === 'boolean' ? column(name).some((it) => it === true) : value;
  };
  return Object.fromEntries(
    Object.entries(first).map(([name, value]) => [name, middle(name, value)]),
  );
}
