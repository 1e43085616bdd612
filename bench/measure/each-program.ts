import type { ProgramName } from '../programs/programs.js';
import { type Result, type Row, roundedRow } from '../report/rows.js';
import { table } from '../report/table.js';

/** Measures one program after the other; prints each row on stderr as soon as it is known. */
export async function eachProgram(
  programs: readonly ProgramName[],
  measure: (program: ProgramName) => Promise<Row>,
): Promise<Result> {
  const rows: Row[] = [];
  for (const program of programs) {
    const row = await measure(program);
    process.stderr.write(`${table([roundedRow(row)])}\n`);
    rows.push(row);
  }
  return { rows };
}
