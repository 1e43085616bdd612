import { readFileSync } from 'node:fs';
import { isObject } from './frames.js';
import type { LogLine } from './log-lines.js';

export type DocumentedLine = {
  readonly level: string;
  readonly msg: string;
  readonly fields: readonly string[];
};

const page = new URL('../../../../docs/reference/logs.md', import.meta.url);
const everywhere = ['level', 'time', 'node_id', 'msg', 'err'];
let known: ReadonlyMap<string, DocumentedLine> | undefined;

/** The table of docs/reference/logs.md. */
export function documentedLines(): DocumentedLine[] {
  const rows = readFileSync(page, 'utf8').matchAll(/^\| (\w+) \| `([^`]+)` \|([^|]*)\|/gm);
  return [...rows].map(([, level = '', msg = '', fields = '']) => ({
    level,
    msg,
    fields: [...fields.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  }));
}

/** How the lines of one gateway differ from docs/reference/logs.md, each kind once. */
export function undocumentedIn(lines: readonly LogLine[]): string[] {
  known ??= new Map(documentedLines().map((line) => [`${line.level} ${line.msg}`, line]));
  const faults = new Set<string>();
  for (const line of lines) {
    // Lines of Node, and of programs that a node has started, are not ours to document.
    if (!isObject(line) || typeof line.time !== 'string' || line.node_id === undefined) continue;
    const row = known.get(`${line.level} ${line.msg}`);
    if (!row) {
      faults.add(`docs/reference/logs.md has no line "${line.level} ${line.msg}"`);
      continue;
    }
    const more = Object.keys(line).filter(
      (name) => !everywhere.includes(name) && !row.fields.includes(name),
    );
    if (more.length > 0)
      faults.add(`docs/reference/logs.md: "${line.msg}" has no field ${more.join(', ')}`);
  }
  return [...faults];
}
