import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type AgentConfig, agentKeys, agentSchema } from '@sluice/agents';
import { checked } from '@sluice/protocol';
import type { z } from 'zod';
import { unknownKey } from './known-keys.js';
import { NAME } from './schema.js';
import { isKey, isTree, type Path, showPath, type Tree, valueAt, withValue } from './tree.js';

type Agents = Record<string, AgentConfig>;

/** Checks every entry of `agents`; faults go to `faults`. The first entry is the default agent. */
export function agentsOf(entries: Tree, faults: string[]): Agents {
  if (Object.keys(entries).length === 0) {
    faults.push('agents: is empty; give at least one, for example {echo: {kind: echo}}');
  }
  const agents: [string, AgentConfig][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (!NAME.test(name)) {
      faults.push(
        `agents: the name ${JSON.stringify(name)} is not allowed; give 1 to 128 of A-Z a-z 0-9 . _ -, and neither "." nor ".."`,
      );
    }
    const result = parse(entry);
    if (result.success) agents.push([name, result.data]);
    else faults.push(...result.error.issues.flatMap((issue) => explain(issue, name, entry)));
  }
  return Object.fromEntries(agents);
}

/** The agents of a configuration without `agents`: one that answers at once, and a model if there is a key for it. */
export function defaultAgents(env: NodeJS.ProcessEnv): Tree {
  const assistant = { kind: 'openai', model: 'gpt-4o-mini' };
  return { echo: { kind: 'echo' }, ...(env.OPENAI_API_KEY ? { assistant } : {}) };
}

/** `--agent X`: the user's own agent, by the path of a module, by URL or by a command line. */
export function agentFrom(given: string, cwd: string): { entry: Tree } | { fault: string } {
  if (/^https?:\/\//.test(given)) return { entry: { kind: 'http', url: given } };
  const path = resolve(cwd, given);
  if (/^\S+\.[cm]?ts$/.test(given)) {
    return { fault: `--agent: ${given} is TypeScript; compile it and give the .mjs or .js file` };
  }
  if (!/^\S+\.[cm]?js$/.test(given) && !(/\.[cm]?js$/.test(given) && existsSync(path))) {
    return { entry: { kind: 'command', command: given, cwd } };
  }
  if (!existsSync(path)) return { fault: `--agent: there is no file ${path}` };
  return { entry: { kind: 'module', path } };
}

/** Text from flags, environment and `${NAME}` is read a second time where a number or a yes is expected. */
function parse(entry: unknown): z.ZodSafeParseResult<AgentConfig> {
  const first = checked(agentSchema, entry);
  if (first.success || !isTree(entry)) return first;
  const read = first.error.issues.reduce<Tree>((tree, { code, path }) => {
    const value = valueAt(tree, path.filter(isKey));
    const isPlain = typeof value === 'string' && /^(true|false|\d+(\.\d+)?)$/.test(value);
    if (code !== 'invalid_type' || !isPlain) return tree;
    return withValue(tree, path.map(String), readPlain(value)) ?? tree;
  }, entry);
  return checked(agentSchema, read);
}

const readPlain = (text: string) => (/^[tf]/.test(text) ? text === 'true' : Number(text));

function explain(issue: z.core.$ZodIssue, name: string, entry: unknown): string[] {
  const path: Path = ['agents', name, ...issue.path.filter(isKey)];
  if (issue.code !== 'unrecognized_keys') return [`${showPath(path)}: ${issue.message}`];
  const kind = isTree(entry) && typeof entry.kind === 'string' ? entry.kind : 'openai';
  const keys = agentKeys[kind] ?? [];
  const known = keys.map((key) => `agents.${name}.${key}`);
  const all = `an agent of kind ${kind} takes ${keys.join(', ')} (docs/guide/agents.md)`;
  return issue.keys.map((key) => unknownKey([...path, key], known, all));
}
