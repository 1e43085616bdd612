import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { interpolate, type Surroundings } from './interpolate.js';
import { isTree, type Path, showPath, type Tree, withoutNulls, withValue } from './tree.js';

export type Inputs = {
  readonly file?: string | undefined;
  /** By key path: `{'gateway.port': '9000'}`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
};

export type Gathered = {
  readonly tree: Tree;
  /** Where a value came from when not from the file: ` (from SLUICE_GATEWAY__PORT)`, else ''. */
  readonly from: (path: Path) => string;
};

/** Flags over environment over file; nothing is checked against the schema yet. */
export function gather(inputs: Inputs, around: Surroundings): Gathered {
  const origins = new Map<string, string>();
  let tree = inputs.file === undefined ? {} : readTree(resolve(inputs.cwd, inputs.file), around);
  const overlay = (path: readonly string[], text: string, origin: string) => {
    const changed = withValue(tree, path, parseText(text));
    if (!changed) {
      around.faults.push(
        `${path.join('.')}: something above it is no mapping; give that as a whole (from ${origin})`,
      );
      return;
    }
    tree = changed;
    origins.set(path.join('.'), origin);
  };
  for (const [name, text] of Object.entries(inputs.env)) {
    const path = variablePath(name);
    if (path && text) overlay(path, text, name);
  }
  for (const [key, text] of Object.entries(inputs.flags)) overlay(key.split('.'), text, `--${key}`);
  return { tree: withoutNulls(tree), from: (path) => originOf(path, origins) };
}

export function baseDirOf({ file, cwd }: Inputs): string {
  return file === undefined ? cwd : dirname(resolve(cwd, file));
}

function readTree(file: string, around: Surroundings): Tree {
  let source: unknown;
  try {
    const document = parseDocument(readFileSync(file, 'utf8'));
    around.faults.push(...document.errors.map((e) => `${file}: ${e.message.split('\n')[0]}`));
    if (document.errors.length > 0) return {};
    source = document.toJS() ?? {};
  } catch (error) {
    around.faults.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
  if (!isTree(source)) {
    around.faults.push(`${file}: must be a mapping of keys, see gateway.example.yaml`);
    return {};
  }
  const replaced = interpolate(source, around);
  return isTree(replaced) ? replaced : {};
}

const sections = 'gateway redis lease worker session session_end metrics log telemetry agents';

/**
 * `SLUICE_GATEWAY__PORT` -> gateway, port. A section by itself may hold JSON: `SLUICE_AGENTS={...}`.
 * Others are not ours to refuse: Kubernetes sets `SLUICE_PORT` for a service named `sluice`.
 */
function variablePath(name: string): string[] | undefined {
  const match = /^SLUICE_(.+)$/.exec(name)?.[1]?.toLowerCase();
  if (match === undefined) return undefined;
  return match.includes('__') || sections.split(' ').includes(match)
    ? match.split('__')
    : undefined;
}

/** Lists and mappings are given as JSON; all else stays text, which the schema understands. */
function parseText(text: string): unknown {
  if (!/^\s*([[{]|null\s*$)/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function originOf(path: Path, origins: ReadonlyMap<string, string>): string {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(showPath(path.slice(0, length)));
    if (origin) return ` (from ${origin})`;
  }
  return '';
}
