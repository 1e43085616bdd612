import type { Row, Value } from './rows.js';

const cell = (value: Value | undefined): string => {
  if (value === undefined) return '-';
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
};

/** A table for a terminal: names and texts to the left, numbers to the right. */
export function table(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columns = names.map((name) => {
    const cells = rows.map((row) => cell(row[name]));
    const width = Math.max(name.length, ...cells.map(({ length }) => length));
    const isText = rows.some((row) => typeof row[name] === 'string');
    const pad = (text: string) => (isText ? text.padEnd(width) : text.padStart(width));
    return [pad(name), ...cells.map(pad)];
  });
  const lines = [-1, ...rows.keys()].map((at) => columns.map((cells) => cells[at + 1]).join('  '));
  return lines.map((line) => line.trimEnd()).join('\n');
}
