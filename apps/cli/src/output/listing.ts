import type { Frame } from '../api/frame.js';
import { type Column, Table } from './table.js';
import { write, writeLines } from './write.js';

export type ListingOutput = {
  readonly json?: boolean;
  readonly columns: readonly Column<Frame>[];
  /** Said on stderr when there is nothing to list. */
  readonly none: string;
};

/** Prints pages as they come: a table, or one JSON list that is whole only when the command ends with 0. */
export async function printListing(
  pages: AsyncIterable<readonly Frame[]>,
  { json, columns, none }: ListingOutput,
): Promise<void> {
  if (json) return await printJson(pages);
  const table = new Table(columns);
  let count = 0;
  for await (const page of pages) {
    count += page.length;
    await writeLines(table.lines(page));
  }
  if (count === 0) console.error(none);
}

async function printJson(pages: AsyncIterable<readonly Frame[]>): Promise<void> {
  let before = '[\n';
  for await (const page of pages) {
    await write(before + page.map((row) => JSON.stringify(row)).join(',\n'));
    before = ',\n';
  }
  await write(before === '[\n' ? '[]\n' : '\n]\n');
}
