import OpenAI, { APIError } from 'openai';
import { field } from '../port/fields.js';
import { RetryableError, TerminalError } from '../port/port.js';
import { isPassing, retryAfterMs } from '../port/retry-after.js';

/** A client that keeps the text of an error, whether or not the body wraps it in `error`. */
export class Client extends OpenAI {
  protected override makeStatusError(
    status: number,
    body: object | undefined,
    message: string | undefined,
    headers: Headers,
  ): APIError {
    const isWrapped = typeof body === 'object' && body !== null && 'error' in body;
    const error = isWrapped || body === undefined ? body : { error: body };
    return super.makeStatusError(status, error ?? {}, message, headers);
  }
}

/** An error that came within a 2xx answer. Only its code, if it has one, says what went wrong. */
export class StreamedError extends Error {
  override readonly name = 'StreamedError';
  readonly code: string | undefined;
  readonly status: number | undefined;
  constructor(
    error: unknown,
    /** A part of the reply came before it. */
    readonly isLate: boolean,
  ) {
    super(typeof error === 'string' ? error : JSON.stringify(error));
    this.code = codeOf(error);
    const code = field(error, 'code');
    this.status = typeof code === 'number' ? code : undefined;
  }
}

/** Why a smaller request may be accepted: fewer messages, or without the parameter `stream_options`. */
export type Refusal = 'too_long' | 'stream_options' | undefined;

const TOO_LONG_CODE = /context_length|context_size|string_above_max_length|request_too_large/;
/** In the words of OpenAI, Anthropic, Gemini, Mistral, vLLM, llama.cpp, TGI and Groq. */
const TOO_LONG = [
  /context[ _-]?(length|window|size)|maximum context|n_ctx/i,
  /too many (input )?tokens|(prompt|input|request)( is)? too (long|large)/i,
  /token count.{0,80}exceeds|reduce the length/i,
];

/** Why the endpoint refused the request; undefined: for another reason, or too late for another request. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof APIError) && !(error instanceof StreamedError)) return undefined;
  const { status } = error;
  const isLate = error instanceof StreamedError ? error.isLate : status === undefined;
  if (isLate) return undefined; // a part of the reply has been seen, or there was no answer at all
  if (status === 413 || TOO_LONG_CODE.test(codeIn(error) ?? '')) return 'too_long';
  if (TOO_LONG.some((words) => words.test(error.message))) return 'too_long';
  const isAboutOptions = /stream_options|include_usage/.test(error.message);
  return isAboutOptions && (status === 400 || status === 422) ? 'stream_options' : undefined;
}

export function tooLong(error: unknown): TerminalError {
  const code = codeIn(error);
  return new TerminalError(`the message is longer than the model's context${inBrackets(code)}`);
}

/** 409 and the statuses of `isPassing` are retryable, and errors without a status: broken connections. */
export function asFailure(error: unknown): unknown {
  if (error instanceof RetryableError || error instanceof TerminalError) return error;
  if (error instanceof StreamedError) {
    const what = error.code ?? (error.status === undefined ? undefined : `status ${error.status}`);
    const message = what === undefined ? 'the model failed' : `the model failed: ${what}`;
    const isForGood = error.status !== undefined && !isPassing(error.status, [409]);
    return isForGood ? new TerminalError(message) : new RetryableError(message);
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    return new RetryableError('connection to the model failed');
  }
  const message = `the model answered with status ${error.status}${inBrackets(codeIn(error))}`;
  if (!isPassing(error.status, [409])) return new TerminalError(message);
  return new RetryableError(message, retryAfterMs(error.headers?.get('retry-after')));
}

function codeIn(error: unknown): string | undefined {
  if (error instanceof StreamedError) return error.code;
  return error instanceof APIError ? codeOf(error) : undefined;
}

/** `code` of the error, else its `type`, if it looks like a code and not like text: clients read it (X6). */
function codeOf(error: unknown): string | undefined {
  const codes = [field(error, 'code'), field(error, 'type')];
  return codes.find((it): it is string => typeof it === 'string' && /^[\w.-]{1,64}$/.test(it));
}

function inBrackets(code: string | undefined): string {
  return code === undefined ? '' : ` (${code})`;
}
