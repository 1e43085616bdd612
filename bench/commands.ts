import { cold } from './measure/cold.js';
import { drain } from './measure/drain.js';
import { idle } from './measure/idle.js';
import { soak } from './measure/soak.js';
import { storm } from './measure/storm.js';
import { streaming } from './measure/streaming.js';
import { takeover } from './measure/takeover.js';
import { turns } from './measure/turns.js';
import type { Command } from './options.js';

export const commands: readonly Command[] = [
  turns,
  cold,
  streaming,
  idle,
  storm,
  drain,
  takeover,
  soak,
];

/** The text that `npm run bench` without a command prints: one line per command. */
export function usage(): string {
  const lines = commands.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`);
  return [
    'usage: npm run bench -- <command> [--programs a,b] [--json] [--keep FILE] [options of the command]',
    ...lines,
    'npm run bench -- <command> --help names its options; BIN=<a built checkout> measures that one beside.',
  ].join('\n');
}

export const usageOf = ({ name, what, optionLines }: Command): string =>
  [`npm run bench -- ${name}: ${what}`, ...optionLines.map((line) => `  ${line}`)].join('\n');
