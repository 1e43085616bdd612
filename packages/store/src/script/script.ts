/**
 * Scripts as typed functions: `scripts-*.ts` declare arguments and replies, `script.ts` loads and checks them.
 *
 * Positions of arguments and replies are known here and in the Lua headers, nowhere else (ADR 6).
 * To add one: the .lua file with its contract, its declaration in the file of its topic, a row in
 * docs/internals/failpoints.md.
 * Not here: when to call one.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { assert } from '@sluice/runtime';
import { keyNamesFor } from '../keys/keys.js';
import { ReplyReader, type Value } from './reply.js';

const scriptsUrl = new URL('../../scripts/', import.meta.url);

/**
 * A script with its contract. Only its header knows the positions of KEYS and ARGV: the loader turns
 * the header's names into locals, and checks that this declaration has the same names.
 */
export type Script<K extends string, A extends string, R> = {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  readonly keys: readonly K[];
  readonly args: readonly A[];
  readonly readOnly: boolean;
  /** The reply reaches `decode` as bytes, not as text. */
  readonly isBinary: boolean;
  decode(word: string, reply: ReplyReader): R;
};

type Declaration<K extends string, A extends string, R> = {
  readonly keys: readonly K[];
  readonly args: readonly A[];
  readonly readOnly?: boolean;
  readonly isBinary?: boolean;
  /** `word` is the first element of the reply; `reply` reads the elements after it. */
  decode(word: string, reply: ReplyReader): R;
};

/**
 * Lua that reads the state of the session once. `s.<field>` has each field that the script or an include names,
 * false if there is none. `put` changes a field (false: removes it), `state_save` writes what differs, in one step
 * at the end. Redis does not roll back a script that meets a key of another type halfway: so a script reads each
 * key before it writes anything (law 2).
 */
function stateRecord(body: string): string {
  const names = [...body.matchAll(/\b[sr]\.([a-z_]+)/g)].map(([, name = '']) => name);
  const fields = [...new Set(names)].sort();
  // One constructor: a table that grows field by field is made anew six times. And the whole hash, which is a list to
  // Redis: HMGET walks along it for each field, and to its end for a missing one.
  const read = `local s = { ${fields.map((name) => `${name} = false`).join(', ')} }
local v = redis.call('HGETALL', state)
for i = 1, #v, 2 do
  if s[v[i]] ~= nil then s[v[i]] = v[i + 1] end
end`;
  return /\bput\(/.test(body) ? `${read}\n${stateWrites}` : read;
}

const stateWrites = include('state');
const int = include('int');

/** Loads `scripts/<name>.lua`, resolves its includes and binds it to its typed declaration. */
export function defineScript<K extends string, A extends string, R>(
  name: string,
  declaration: Declaration<K, A, R>,
): Script<K, A, R> {
  const text = readFileSync(new URL(`${name}.lua`, scriptsUrl), 'utf8');
  const keys = headerNames(text, 'KEYS');
  const args = headerNames(text, 'ARGV');
  assert(keys.join() === declaration.keys.join(), `${name}: KEYS differ from the header (${keys})`);
  assert(args.join() === declaration.args.join(), `${name}: ARGV differ from the header (${args})`);
  const body = expand(text);
  const record = keys.includes('state') ? stateRecord(body) : '';
  const chunk = `${keyNamesFor(body)}\n${record}\n${body}`;
  const head = `${locals(keys, 'KEYS')}\n${locals(args, 'ARGV')}\n${chunk.includes('int(') ? int : ''}`;
  const source = `${head}\n${chunk}`;
  return {
    name,
    source,
    sha: shaOf(source),
    keys: declaration.keys,
    args: declaration.args,
    readOnly: declaration.readOnly ?? false,
    isBinary: declaration.isBinary ?? false,
    decode: declaration.decode,
  };
}

/** Names after `-- KEYS:`, also on the comment lines that continue it. */
function headerNames(text: string, label: 'KEYS' | 'ARGV'): string[] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`-- ${label}:`));
  assert(start >= 0, `header line ${label} is missing`);
  const names = [lines[start]?.slice(`-- ${label}:`.length) ?? ''];
  for (const line of lines.slice(start + 1)) {
    if (!line.startsWith('--  ')) break;
    names.push(line.slice(2));
  }
  return names.join(' ').split(/\s+/).filter(Boolean);
}

function locals(names: readonly string[], from: 'KEYS' | 'ARGV'): string {
  if (names.length === 0) return '';
  return `local ${names.join(', ')} = ${names.map((_, i) => `${from}[${i + 1}]`).join(', ')}`;
}

/** Puts the includes in their places; an include may have its own. */
function expand(text: string): string {
  return text.replace(/^--@include (\S+)$/gm, (_, file: string) => expand(include(file)));
}

function include(file: string): string {
  return readFileSync(new URL(`include/${file}.lua`, scriptsUrl), 'utf8').trimEnd();
}

const shardedScripts = new WeakMap<Script<string, string, never>, Script<string, string, never>>();

/** The same script for a cluster: it publishes to a channel of its slot, which only the master of that slot knows. */
export function shardedScript<K extends string, A extends string, R>(
  script: Script<K, A, R>,
): Script<K, A, R> {
  const known = shardedScripts.get(script as never);
  if (known) return known as never;
  const source = script.source.replaceAll("'PUBLISH'", "'SPUBLISH'");
  const sharded = { ...script, source, sha: shaOf(source) };
  shardedScripts.set(script as never, sharded as never);
  return sharded;
}

const shaOf = (source: string) => createHash('sha1').update(source).digest('hex');

/** Throws InvariantError when the reply is not what the script promises. */
export function decodeReply<R>(script: Script<string, string, R>, reply: unknown): R {
  assert(Array.isArray(reply), `${script.name}: reply is not a list`);
  const reader = new ReplyReader(reply as Value[]);
  return script.decode(reader.text(), reader);
}
