import { STATUS_CODES } from 'node:http';
import { type ErrorCode, httpStatus, isRetryable } from '@sluice/protocol';
import { assert } from '@sluice/runtime';
import type { UnsentShare } from '../limits/unsent.js';
import { EventStream, type RawStream } from './http-stream.js';
import type { HttpReply, HttpRequest, HttpStream } from './transport.js';

/** The part of a uWebSockets.js response that an exchange needs. */
export type RawResponse = RawStream & {
  writeStatus(status: string): unknown;
  writeHeader(key: string, value: string): unknown;
  end(body?: string, closeConnection?: boolean): unknown;
  getWriteOffset(): number;
  tryEnd(body: Uint8Array, totalSize: number): [isSent: boolean, isAnswered: boolean];
  endWithoutBody(reportedContentLength?: number): unknown;
  onData(fn: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  pause(): unknown;
  resume(): unknown;
};

/** Read from a request at once: the library drops it after the call. */
export type RequestHead = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly remoteAddress: string;
};

const TOO_MUCH_WAITS = 'This node has too many unsent bytes in memory; try again in a moment.';

type Headers = Readonly<Record<string, string>>;
type Body = string | 'too_large' | 'aborted';

/** The reply to one request. Routes see it as HttpReply; the rest is for the server. */
export class Reply implements HttpReply {
  #state: 'open' | 'sending' | 'streaming' | 'answered' | 'gone' = 'open';
  readonly #raw: RawResponse;
  readonly #isHead: boolean;
  readonly #always: Headers;
  #listeners: (() => void)[] = [];
  #onError: (code: ErrorCode) => void = () => {};
  #stream: EventStream | undefined;
  #share: UnsentShare;
  #isLast = false;

  /**
   * `always`: headers of every answer; `share`: counts what waits for the client. The caller passes the library's
   * `onAborted` to `gone`.
   */
  constructor(raw: RawResponse, isHead: boolean, about: { always: Headers; share: UnsentShare }) {
    this.#raw = raw;
    this.#isHead = isHead;
    this.#always = about.always;
    this.#share = about.share;
  }

  /** From now on what waits counts for the principal of `share`. */
  isFor(share: UnsentShare): void {
    share.set(this.#share.bytes);
    this.#share.set(0);
    this.#share = share;
  }

  /** Ends the connection after this answer: what follows the request cannot be trusted. */
  isLast(): void {
    this.#isLast = true;
  }

  /** Counts the bytes of the body that are kept so far. False: give the connection up. */
  keeps(bytes: number): boolean {
    return this.#share.set(bytes);
  }

  get aborted(): boolean {
    return this.#state === 'gone';
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  onError(fn: (code: ErrorCode) => void): void {
    this.#onError = fn;
  }

  onAborted(fn: () => void): void {
    if (this.aborted) fn();
    else this.#listeners.push(fn);
  }

  gone(): void {
    if (this.#state === 'answered' || this.#state === 'gone') return;
    this.#state = 'gone';
    this.#stream?.gone();
    this.#share.set(0);
    for (const listener of this.#listeners.splice(0)) listener();
  }

  json(status: number, body: unknown, headers: Headers = {}): void {
    this.text(status, JSON.stringify(body), 'application/json; charset=utf-8', headers);
  }

  text(status: number, body: string, contentType: string, headers: Headers = {}): void {
    if (status === 204) {
      this.empty(status, headers);
      return;
    }
    const bytes = Buffer.from(body);
    const isWhole = this.#isHead || this.#isLast || bytes.length === 0;
    if (!this.#begin(isWhole ? 'answered' : 'sending')) return;
    this.#raw.cork(() => {
      this.#writeHead(status, { 'content-type': contentType, ...headers });
      if (this.#isHead) this.#raw.endWithoutBody(bytes.length);
      else if (isWhole) this.#raw.end(body, this.#isLast);
      else this.#send(bytes, 0);
    });
    if (this.#state !== 'sending') return;
    this.#raw.onWritable((offset) => this.#sendMore(bytes, offset));
    this.#count(bytes);
  }

  /**
   * Sends the body from this byte on; false: not all of it went out. The library keeps none of the rest. It ends the
   * connection of a client that sends another request meanwhile, and cuts one that takes nothing for 10 s.
   */
  #send(body: Buffer, from: number): boolean {
    const [isSent, isAnswered] = this.#raw.tryEnd(body.subarray(from), body.length);
    if (isAnswered) this.#state = 'answered';
    return isSent;
  }

  #sendMore(body: Buffer, from: number): boolean {
    let isSent = true;
    this.#raw.cork(() => {
      isSent = this.#send(body, from);
    });
    if (this.#state === 'sending') this.#count(body);
    else this.#share.set(0);
    return isSent;
  }

  #count(body: Buffer): void {
    if (this.#share.set(body.length - this.#raw.getWriteOffset())) return;
    this.#raw.close();
    this.gone(); // here too: the library's `onAborted` may come before the caller can pass it on
  }

  /** Answers without a body: 204 and the like. */
  empty(status: number, headers: Headers = {}): void {
    if (!this.#begin('answered')) return;
    this.#raw.cork(() => {
      this.#writeHead(status, headers);
      this.#raw.endWithoutBody();
    });
  }

  stream(status: number, headers: Headers): HttpStream {
    if (this.#isHead) {
      this.empty(status, headers);
      return endedStream;
    }
    if (!this.#begin('streaming')) return endedStream;
    const stream = new EventStream(this.#raw, this.#share, () => {
      this.#state = 'answered';
      this.#listeners = [];
    });
    this.#stream = stream;
    this.#raw.cork(() => this.#writeHead(status, headers));
    // A comment of SSE: the head leaves the node only together with a first piece of the body.
    stream.write(':\n\n');
    return stream;
  }

  error(code: ErrorCode, message: string, headers: Headers = {}): void {
    const status = httpStatus(code);
    const body = { error: { code, message, retryable: isRetryable(code) } };
    this.#onError(code);
    const later: Headers = status === 503 || status === 429 ? { 'retry-after': '1' } : {};
    this.json(status, body, { ...later, ...headers });
  }

  cut(): void {
    if (this.#stream) return this.#stream.cut();
    if (this.#state === 'open') this.#raw.close();
  }

  /** Cuts a stream that has begun, so that it never looks complete. */
  breakOff(): void {
    this.#stream?.cut();
  }

  #begin(next: 'answered' | 'sending' | 'streaming'): boolean {
    if (this.#state === 'gone') return false;
    assert(this.#state === 'open', 'a request is answered once');
    this.#state = next;
    if (next !== 'streaming') this.#listeners = [];
    this.#share.set(0);
    return true;
  }

  #writeHead(status: number, headers: Headers): void {
    this.#raw.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
    for (const [name, value] of Object.entries({ ...this.#always, ...headers })) {
      this.#raw.writeHeader(name, value);
    }
  }
}

const endedStream: HttpStream = {
  write: () => undefined,
  bufferedBytes: () => 0,
  end: () => undefined,
  cut: () => undefined,
};

/** Starts reading the body at once, since the library drops what comes before. Keeps at most `maxBytes` of it. */
function readBody(raw: RawResponse, reply: Reply, maxBytes: number): Promise<Body> {
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let size = 0;
    const settle = (body: Body) => {
      chunks = [];
      resolve(body);
    };
    reply.onAborted(() => settle('aborted'));
    raw.onData((chunk, isLast) => {
      size += chunk.byteLength;
      if (size > maxBytes) return settle('too_large');
      if (!reply.keeps(size)) {
        if (reply.isOpen) reply.error('unavailable', TOO_MUCH_WAITS);
        return settle('aborted');
      }
      // Copied: the library reuses the memory as soon as this returns.
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) settle(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

export type BodySource = {
  readonly raw: RawResponse;
  readonly reply: Reply;
  readonly maxBytes: number;
};

/** The request as routes see it; `source` undefined: its body is not read, and ''. */
export function makeRequest(head: RequestHead, source: BodySource | undefined): HttpRequest {
  const body =
    source === undefined
      ? Promise.resolve('')
      : readBody(source.raw, source.reply, source.maxBytes);
  return {
    method: head.method,
    path: head.path,
    query: new URLSearchParams(head.query),
    header: (name) => head.headers.get(name) ?? '',
    remoteAddress: head.remoteAddress,
    body: async (maxBytes) => {
      const text = await body;
      return Buffer.byteLength(text) > maxBytes ? 'too_large' : text;
    },
  };
}
