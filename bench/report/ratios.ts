import { median, rounded } from './numbers.js';
import type { Row } from './rows.js';

const base = 'sluice';

/** Turns per second and p99 of Sluice, divided by those of each other program in the same round. */
export function ratioRows(rounds: readonly Row[], mode: string): Row[] {
  const ofMode = rounds.filter((row) => row.mode === mode);
  const column = (program: unknown, name: string) =>
    ofMode.filter((row) => row.program === program).map((row) => Number(row[name]));
  const ratios = (program: unknown, name: string) => {
    const theirs = column(program, name);
    return column(base, name).map((ours, at) => ours / (theirs[at] ?? Number.NaN));
  };
  if (column(base, 'turns_per_s').length === 0) return [];
  const others = [...new Set(ofMode.map(({ program }) => program))].filter((it) => it !== base);
  return others.map((program) => {
    const turns = ratios(program, 'turns_per_s');
    return {
      mode,
      compared: `${base} / ${program}`,
      turns: median(turns),
      p99: median(ratios(program, 'p99_ms')),
      turns_each_round: turns.map(rounded).join(' '),
    };
  });
}
