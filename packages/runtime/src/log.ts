import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export type LogOptions = { readonly level: string; readonly pretty: boolean };

/**
 * JSON lines on stdout (pretty on a terminal when asked). Messages are constant; what varies is in
 * fields. Contents and credentials are never passed to it; `redact` is the second line of defence (X6).
 */
export function makeLog({ level, pretty }: LogOptions, base: Record<string, unknown> = {}): Logger {
  return pino({
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorFields },
    redact: ['token', 'content', 'authorization', '*.token', '*.content', '*.authorization'],
    ...(pretty
      ? {
          transport: {
            target: 'pino-pretty',
            options: { ignore: 'pid,hostname,node_id', translateTime: 'HH:MM:ss' },
          },
        }
      : {}),
  });
}

/**
 * What of an error may be seen: never its own fields, since errors of Redis clients carry the command
 * with its arguments, which are contents (X6).
 */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? { code: error.code } : {};
  return { type: name, message, stack, ...code, ...(cause ? { cause: errorFields(cause) } : {}) };
}
