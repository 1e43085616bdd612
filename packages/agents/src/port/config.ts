import { parseBytes, parseDurationMs } from '@sluice/runtime';
import { z } from 'zod';
import type { RetryPolicy } from './port.js';

/** Longest delay a timer of Node takes (2^31 - 1 ms, almost 25 days); a longer one fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const notDuration = 'must be a duration: seconds as a number, or "500ms", "10s", "5m", "24h"';
const notDelay = 'must be a delay: milliseconds as a number, or "200ms", "2s"';
const notBytes = 'must be a size: bytes as a number, or "64KiB", "1MiB"';

/** A schema around one of our parsers; these return undefined for a value that they do not understand. */
function parsed(parse: (value: unknown) => number | undefined, message: string) {
  return z.unknown().transform((value, context) => {
    const result = parse(value);
    if (result !== undefined) return result;
    context.addIssue(message);
    return z.NEVER;
  });
}

/** A plain number is milliseconds here (`delay_ms`), also when it is written as text. */
function parseDelayMs(value: unknown): number | undefined {
  const isPlain = typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));
  return parseDurationMs(isPlain ? `${value}ms` : value);
}

const timerLimit = { error: 'must be at most 24d' };
const duration = parsed(parseDurationMs, notDuration).refine(
  (ms) => ms <= TIMER_MAX_MS,
  timerLimit,
);
const delay = parsed(parseDelayMs, notDelay).refine((ms) => ms <= TIMER_MAX_MS, timerLimit);
const bytes = parsed(parseBytes, notBytes);
const count = z.int({ error: 'must be a whole number' }).min(1, { error: 'must be at least 1' });
const text = z.string({ error: 'must be given, as text' }).min(1, { error: 'must not be empty' });

/** The first delay is short enough to hide a restart; a minute of tries outlasts a deployment. */
export const defaultRetry: RetryPolicy = {
  forMs: 60_000,
  initialMs: 200,
  factor: 2,
  maxMs: 10_000,
};

const retry = z
  .strictObject({
    for: duration.default(defaultRetry.forMs),
    initial: duration.default(defaultRetry.initialMs),
    factor: z.number().min(1).default(defaultRetry.factor),
    max: duration.default(defaultRetry.maxMs),
  })
  .transform(({ for: forMs, initial, factor, max }) => ({
    ...{ forMs, factor },
    ...{ initialMs: initial, maxMs: max },
  }));

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
  .refine((url) => !URL.canParse(url) || new URL(url).username === '', {
    error: 'must not carry credentials; sign requests with `secret` instead',
  });

/** What every kind has: how many turns run at once on one node (absent: no limit of its own). */
const common = { max_concurrent: count.optional() };

/** What every agent outside this process has; with `timeout: 0` only `gateway.per_turn_timeout` limits a turn. */
const remote = {
  retry: retry.default(defaultRetry),
  timeout: duration.default(5 * 60_000),
  history: bytes.default(2 ** 20),
};

/**
 * History that is sent to a model. Common models take 128,000 tokens: this is half of that in English (4 bytes
 * per token), nearly all of it in scripts of 2 bytes per token. A model that takes less refuses, and gets less.
 */
const MODEL_HISTORY_BYTES = 256 * 1024;

const echo = z.strictObject({
  kind: z.literal('echo'),
  ...common,
  delay_ms: delay.default(0),
  stream: z.boolean().default(true),
  /** Accepted so that `kind` can be changed to `echo` alone; an echo reads no history. */
  history: bytes.optional(),
});

const openai = z.strictObject({
  kind: z.literal('openai'),
  ...common,
  ...remote,
  history: bytes.default(MODEL_HISTORY_BYTES),
  model: text,
  instructions: z.string().optional(),
  base_url: httpUrl.optional(),
  api_key: z.string().optional(),
  api_key_file: text.optional(),
});

const http = z.strictObject({
  kind: z.literal('http'),
  ...common,
  ...remote,
  url: httpUrl,
  secret: text.optional(),
  secret_file: text.optional(),
});

const module = z.strictObject({
  kind: z.literal('module'),
  ...common,
  path: text,
  retry: retry.optional(),
});

/** Text is split at blanks; an argument with a blank in it needs the list. */
const words = z.union([text.transform((line) => line.trim().split(/\s+/)), z.array(z.string())], {
  error: 'must be a command line, as text or as a list of words',
});

const command = z.strictObject({
  kind: z.literal('command'),
  ...common,
  ...remote,
  command: words.refine(([program]) => Boolean(program), { error: 'must not be empty' }),
  cwd: text.optional(),
});

const kinds = { echo, openai, http, module, command };

/** Keys of each kind; an error about an unknown key suggests the nearest of them. */
export const agentKeys: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(kinds).map(([kind, schema]) => [kind, Object.keys(schema.shape)]),
);

const echoConfig = echo.transform((c) => ({
  kind: c.kind,
  maxConcurrent: c.max_concurrent,
  delayMs: c.delay_ms,
  stream: c.stream,
}));

const openaiConfig = openai.transform((c) => ({
  kind: c.kind,
  maxConcurrent: c.max_concurrent,
  retry: c.retry,
  timeoutMs: c.timeout,
  historyBytes: c.history,
  model: c.model,
  instructions: c.instructions,
  baseUrl: c.base_url,
  apiKey: c.api_key,
  apiKeyFile: c.api_key_file,
}));

const httpConfig = http.transform((c) => ({
  kind: c.kind,
  maxConcurrent: c.max_concurrent,
  retry: c.retry,
  timeoutMs: c.timeout,
  historyBytes: c.history,
  url: c.url,
  secret: c.secret,
  secretFile: c.secret_file,
}));

const moduleConfig = module.transform((c) => ({
  kind: c.kind,
  maxConcurrent: c.max_concurrent,
  retry: c.retry,
  path: c.path,
}));

const commandConfig = command.transform((c) => ({
  kind: c.kind,
  maxConcurrent: c.max_concurrent,
  retry: c.retry,
  timeoutMs: c.timeout,
  historyBytes: c.history,
  command: c.command,
  cwd: c.cwd,
}));

/**
 * One entry of `agents:` as written in the file -> the settings of its kind. Without `kind`,
 * `model` or `instructions` make it `openai`.
 */
export const agentSchema = z.preprocess(
  withKind,
  z.discriminatedUnion(
    'kind',
    [echoConfig, openaiConfig, httpConfig, moduleConfig, commandConfig],
    {
      error: `must be one of ${Object.keys(kinds).join(', ')}`,
    },
  ),
);

/** Settings of one agent: `...Ms` in milliseconds, `...Bytes` in bytes; `timeoutMs` 0: no limit. */
export type AgentConfig = z.output<typeof agentSchema>;
export type EchoConfig = Extract<AgentConfig, { kind: 'echo' }>;
export type OpenAiConfig = Extract<AgentConfig, { kind: 'openai' }>;
export type HttpConfig = Extract<AgentConfig, { kind: 'http' }>;
export type ModuleConfig = Extract<AgentConfig, { kind: 'module' }>;
export type CommandConfig = Extract<AgentConfig, { kind: 'command' }>;

function withKind(raw: unknown, context: z.RefinementCtx): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    context.addIssue('must be a map of settings, such as {kind: echo}');
    return z.NEVER;
  }
  const isOpenAi = !('kind' in raw) && ('model' in raw || 'instructions' in raw);
  return isOpenAi ? { kind: 'openai', ...raw } : raw;
}
