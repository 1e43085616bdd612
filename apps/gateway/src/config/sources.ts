import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument, type YAMLParseError } from 'yaml';
import { interpolate, type Surroundings, unreadable } from './interpolate.js';
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
  /** Where a value came from, such as ` (from SLUICE_GATEWAY__PORT)`; '' for the file. */
  readonly from: (path: Path) => string;
  /** False: the file could not be read, so that values which seem to be missing may be in it. */
  readonly isRead: boolean;
};

/** Merges the sources: a flag wins over the environment, that over the file. Nothing is checked yet. */
export function gather(inputs: Inputs, around: Surroundings): Gathered {
  const origins = new Map<string, string>();
  const read = inputs.file === undefined ? {} : readTree(resolve(inputs.cwd, inputs.file), around);
  let tree: Tree = read ?? {};
  const overlay = (path: readonly string[], text: string, origin: string) => {
    const changed = withValue(tree, path, parseText(text));
    if (!changed) {
      around.faults.push(
        `${path.join('.')}: a parent key is not a mapping; set the parent as a whole (from ${origin})`,
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
  const from = (path: Path) => originOf(path, origins);
  return { tree: withoutNulls(tree), from, isRead: read !== undefined };
}

/** Relative paths begin at the directory of the file, or without one at the working directory. */
export function baseDirOf({ file, cwd }: Inputs): string {
  return file === undefined ? cwd : dirname(resolve(cwd, file));
}

/** Reads the file. undefined: it cannot be read or parsed; the faults are added. */
function readTree(file: string, around: Surroundings): Tree | undefined {
  const fail = (fault: string) => {
    around.faults.push(fault);
    return undefined;
  };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return fail(unreadable(file, error));
  }
  const { errors, source } = parse(text);
  for (const error of errors) fail(`${file}: ${error.replace(/:?\n.*/s, '')}`);
  if (errors.length > 0) return undefined;
  if (!isTree(source)) return fail(`${file}: must be a mapping of keys, see gateway.example.yaml`);
  const replaced = interpolate(source, around);
  return isTree(replaced) ? replaced : {};
}

function parse(text: string): { errors: string[]; source?: unknown } {
  const document = parseDocument(text);
  // Errors after the first one in the syntax only follow from it. Duplicate keys are all reported.
  const broken = document.errors.findIndex(({ code }) => code !== 'DUPLICATE_KEY');
  const reported = broken < 0 ? document.errors : document.errors.slice(0, broken + 1);
  const errors = reported.map((error) => yamlFault(error, text));
  if (errors.length > 0) return { errors };
  try {
    return { errors, source: document.toJS() ?? {} };
  } catch (error) {
    // Anchors and aliases that would grow without end.
    return { errors: [error instanceof Error ? error.message : String(error)] };
  }
}

/** The fault as text. Within braces or brackets of YAML the brace of a `${NAME}` begins a mapping. */
function yamlFault({ code, message, pos: [at] }: YAMLParseError, text: string): string {
  if (code === 'MULTIPLE_DOCS') return 'holds several documents (---); give one';
  const reference = /^\$\{[^}\n]*\}/.exec(text.slice(Math.max(0, at - 1)))?.[0];
  if (reference === undefined) return message;
  const line = text.slice(0, at).split('\n').length;
  return `line ${line}: ${reference} needs quotes within braces or brackets; write "${reference}"`;
}

const sections = 'gateway redis lease worker session session_end metrics log telemetry agents';

/**
 * `SLUICE_GATEWAY__PORT` -> gateway, port. A whole section may be given as JSON: `SLUICE_AGENTS={...}`. Other names are
 * ignored, since Kubernetes sets `SLUICE_PORT` for a service named `sluice`.
 */
function variablePath(name: string): string[] | undefined {
  const match = /^SLUICE_(.+)$/.exec(name)?.[1]?.toLowerCase();
  if (match === undefined) return undefined;
  return match.includes('__') || sections.split(' ').includes(match)
    ? match.split('__')
    : undefined;
}

/** Lists and mappings are given as JSON; other values stay text, which the schema understands. */
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
