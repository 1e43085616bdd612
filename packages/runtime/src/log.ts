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
