import { createHmac } from 'node:crypto';
import type { Secret } from '@sluice/runtime';
import { type Dispatcher, errors, Agent as HttpPool, request } from 'undici';
import type { HttpConfig } from '../port/config.js';
import { startDeadline } from '../port/deadline.js';
import { maxItemBytes } from '../port/events.js';
import { newestWithin } from '../port/history.js';
import { type Agent, RetryableError, TerminalError, type Turn } from '../port/port.js';
import { isPassing, retryAfterMs } from '../port/retry-after.js';
import { readAnswer } from './http-answer.js';

/** The rest of an answer is read for this long, so that its connection can be used again. */
const REST_MAX_MS = 1_000;
const REST_MAX_BYTES = 16_384;

export type HttpOptions = { readonly maxReplyBytes: number; readonly secret?: Secret };

/**
 * POSTs each turn to a URL and reads the answer as JSON, Server-Sent Events or NDJSON. The
 * connection is closed when the turn is aborted.
 */
export function makeHttp(config: HttpConfig, { maxReplyBytes, secret }: HttpOptions): Agent {
  // No limits of its own: the deadline of the turn covers headers and body.
  const pool = new HttpPool({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } });
  return {
    usesHistory: config.historyBytes > 0,
    historyBytes: config.historyBytes,
    retry: config.retry,
    close: () => pool.destroy(),
    async *run(turn, { signal, traceparent }) {
      const deadline = startDeadline(signal, config.timeoutMs);
      let body: Dispatcher.ResponseData['body'] | undefined;
      let isWhole = false;
      try {
        const text = bodyOf(turn, config.historyBytes);
        const response = await request(config.url, {
          dispatcher: pool,
          method: 'POST',
          headers: {
            ...headersOf(turn, text, secret?.()),
            ...(traceparent ? { traceparent } : {}),
          },
          body: text,
          signal: deadline.signal,
        });
        body = response.body;
        // An abort between two reads reports here; it must not be an uncaught exception.
        body.on('error', () => {});
        refuseStatus(response);
        const reply = yield* readAnswer({
          body,
          contentType: String(response.headers['content-type'] ?? ''),
          isDelimited: isDelimited(response.headers),
          maxBytes: maxItemBytes(maxReplyBytes),
        });
        isWhole = true;
        return reply;
      } catch (error) {
        throw deadline.explain(asFailure(error));
      } finally {
        deadline.stop();
        if (body) release(body, isWhole);
      }
    },
  };
}

/** The body of the request: without `idempotency_key`, which is a header; history cut to `historyBytes`. */
function bodyOf(turn: Turn, historyBytes: number): string {
  return JSON.stringify({
    session_id: turn.session_id,
    principal: turn.principal,
    message_id: turn.message_id,
    turn_id: turn.turn_id,
    content: turn.content,
    metadata: turn.metadata,
    attempt: turn.attempt,
    fence: turn.fence,
    history: newestWithin(turn.history, historyBytes),
  });
}

function headersOf(turn: Turn, body: string, secret: string | undefined): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream, application/x-ndjson',
    'user-agent': 'sluice',
    'idempotency-key': turn.idempotency_key,
    'x-sluice-session': turn.session_id,
    'x-sluice-message': turn.message_id,
    'x-sluice-attempt': String(turn.attempt),
    'x-sluice-fence': String(turn.fence),
    ...(secret === undefined ? {} : { 'x-sluice-signature': signature(body, secret) }),
  };
}

/** `sha256=` and the HMAC-SHA256 of the exact bytes of the body, in lower-case hex. */
function signature(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

function refuseStatus({ statusCode, headers }: Dispatcher.ResponseData): void {
  if (statusCode >= 200 && statusCode < 300) return;
  const message = `the agent answered with status ${statusCode}`;
  if (!isPassing(statusCode)) throw new TerminalError(message);
  throw new RetryableError(message, retryAfterMs(first(headers['retry-after'])));
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function isDelimited(headers: Dispatcher.ResponseData['headers']): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** A broken connection is retryable; the message has the error's code, which names no address. */
function asFailure(error: unknown): unknown {
  if (error instanceof errors.InvalidArgumentError) return error;
  const code = codeOf(error);
  return code === undefined ? error : new RetryableError(`connection to the agent failed: ${code}`);
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function release(body: Dispatcher.ResponseData['body'], isWhole: boolean): void {
  if (!isWhole) {
    body.destroy();
    return;
  }
  const signal = AbortSignal.timeout(REST_MAX_MS);
  body.dump({ limit: REST_MAX_BYTES, signal }).catch(() => body.destroy());
}
