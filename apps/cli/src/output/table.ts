import { printable } from './printable.js';

export type Column<Row> = {
  readonly title: string;
  cell(row: Row): string;
  /** Never cut: for ids, which are copied into the next command. */
  readonly whole?: boolean;
};

/** Longer cells are cut, so that a listing of usual ids fits 120 columns; `--json` has the whole values. */
const CELL_MAX = 24;
const GAP = '  ';

/**
 * Lines of a table, page by page: a column is as wide as its widest cell so far, so that a listing
 * of any length is printed as it comes.
 */
export class Table<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #widths: number[];
  #hasHead = false;

  constructor(columns: readonly Column<Row>[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  lines(page: readonly Row[]): string[] {
    const cells = page.map((row) => this.#columns.map((column) => shown(column, row)));
    for (const line of cells) {
      for (const [at, cell] of line.entries()) {
        this.#widths[at] = Math.max(this.#widths[at] ?? 0, cell.length);
      }
    }
    const head = this.#hasHead ? [] : [this.#columns.map(({ title }) => title)];
    this.#hasHead = true;
    return [...head, ...cells].map((line) => this.#aligned(line));
  }

  #aligned(cells: readonly string[]): string {
    return cells
      .map((cell, at) => cell.padEnd(this.#widths[at] ?? 0))
      .join(GAP)
      .trimEnd();
  }
}

function shown<Row>({ cell, whole }: Column<Row>, row: Row): string {
  const text = printable(cell(row)).replace(/\s+/g, ' ') || '-';
  return whole || text.length <= CELL_MAX ? text : `${text.slice(0, CELL_MAX - 3)}...`;
}
