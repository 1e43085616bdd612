import type { Logger } from '@sluice/runtime';
import { type LoggerOptions, pino } from 'pino';

export type LogOptions = { readonly level: string; readonly pretty: boolean };

/**
 * JSON lines on stdout (pretty on a terminal when asked). Messages are constant; what varies is in
 * fields. Contents and credentials are never passed to it; `redact` is the second line of defence (X6).
 */
export function makeLog({ level, pretty }: LogOptions, base: Record<string, unknown> = {}): Logger {
  const options: LoggerOptions = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorFields },
    redact: ['token', 'content', 'authorization', '*.token', '*.content', '*.authorization'],
  };
  if (!pretty) return pino(options, stdoutLines());
  const target = 'pino-pretty';
  const format = { ignore: 'pid,hostname,node_id', translateTime: 'HH:MM:ss' };
  return pino({ ...options, transport: { target, options: format } });
}

/** Lines that cannot be written yet are kept up to this size; further lines are dropped. */
const KEPT_BYTES_MAX = 2 ** 20;

/**
 * A full disk or a closed terminal must not stop a node. Pino's own destination throws on the first such error
 * and then tries for ever to write the rest, also at the exit of the process.
 */
function stdoutLines() {
  const lines = pino.destination({ dest: 1, sync: false, maxLength: KEPT_BYTES_MAX });
  const flushSync = lines.flushSync.bind(lines);
  lines.on('error', () => {
    lines.flushSync = () => {};
  });
  lines.on('write', () => {
    lines.flushSync = flushSync;
  });
  return lines;
}

/**
 * The part of an error that may be logged. Never its own fields: errors of Redis clients carry the command
 * with its arguments, which are contents (X6).
 */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? { code: error.code } : {};
  return { type: name, message, stack, ...code, ...(cause ? { cause: errorFields(cause) } : {}) };
}
