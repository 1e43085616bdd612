import { isObject } from './frames.js';
import type { LogLine } from './log-lines.js';

/** Shorter strings, such as `wrong`, `one` or `echo`, are in logs for other reasons. */
const lengthMin = 8;
/** Contents that are kept per test file: later ones are of the same kind. */
const contentsMax = 500;

const secrets = new Set<string>();
const contents = new Set<string>();

const secretName = /(^|[_-])(token|secret|password|api_key|key)$/i;

/** Every string in a value, with the name of the field that holds the string or its list. */
function* strings(value: unknown, name = ''): Generator<readonly [string, string]> {
  if (typeof value === 'string') yield [name, value];
  else if (Array.isArray(value)) for (const each of value) yield* strings(each, name);
  else if (isObject(value)) {
    for (const [field, each] of Object.entries(value)) yield* strings(each, field);
  }
}

export function keepSecret(secret: string | undefined): void {
  if (secret && secret.length >= lengthMin) secrets.add(secret);
}

/** The password in a Redis URL, and `token` in the URL of a gateway. */
function keepUrlSecrets(text: string): void {
  if (!URL.canParse(text)) return;
  const url = new URL(text);
  keepSecret(decodeURIComponent(url.password));
  keepSecret(url.searchParams.get('token') ?? undefined);
}

/** Keeps the secrets in a configuration, an environment or the options of a connection. */
export function keepSecretsOf(...values: readonly unknown[]): void {
  for (const [name, value] of strings(values)) {
    if (value.includes('://')) keepUrlSecrets(value);
    else if (secretName.test(name) && !value.startsWith('${')) keepSecret(value);
    else if (/^bearer[. ]/i.test(value)) keepSecret(value.slice('bearer '.length));
  }
}

/** Keeps the content of a frame that is being sent. */
export function keepContent(frame: unknown): void {
  if (!isObject(frame)) return;
  for (const [, content] of strings([frame.content, frame.text])) {
    if (content.length >= lengthMin && contents.size < contentsMax) contents.add(content);
  }
}

/** A field that holds content, in a line or in the text of an error within it. */
const contentField = /\\*"(content|delta|pending_inbox)\\*":/;

type Wrong = readonly [kind: string, isIn: (line: string) => boolean];

function wrongs(level: string): Wrong[] {
  const named = (kind: string, values: Iterable<string>) =>
    [...values].map((value): Wrong => {
      const escaped = JSON.stringify(value).slice(1, -1);
      return [`${kind} ${escaped.slice(0, 40)}`, (line) => line.includes(escaped)];
    });
  const found = named('the secret', secrets);
  if (level === 'debug' || level === 'trace') return found;
  return [
    ...found,
    ...named('the content', contents),
    ['a field for content', (line) => contentField.test(line)],
  ];
}

/** X6, for the log of one gateway: every forbidden text found, with the first line that has it. */
export function leaksIn(lines: readonly LogLine[], level: string): string[] {
  const texts = lines.map((line) => JSON.stringify(line));
  const whole = texts.join('\n');
  return wrongs(level).flatMap(([kind, isIn]) => {
    if (!isIn(whole)) return [];
    const line = texts.find(isIn) ?? '';
    return [`${kind} is in the log of a gateway (X6): ${line.slice(0, 1_000)}`];
  });
}
