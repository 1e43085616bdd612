import type { UnsentShare } from '../limits/unsent.js';
import type { HttpStream } from './transport.js';

/** The part of a uWebSockets.js response that a stream needs. */
export type RawStream = {
  cork(fn: () => void): unknown;
  write(chunk: string): boolean;
  end(): unknown;
  close(): unknown;
  onWritable(fn: (offset: number) => boolean): unknown;
};

/** Handed to the library in one piece when the socket is writable again: what it keeps of it cannot be counted. */
const PIECE_BYTES = 64 * 1024;

/**
 * Server-Sent Events with a known backlog. The library buffers all that it is given and does not say how much. So it
 * is given no more once a write did not go through; the rest waits here. It empties its own buffer only when something
 * is written, hence the comment of SSE in `#writable`. It cuts a reader that takes nothing for 10 s.
 */
export class EventStream implements HttpStream {
  readonly #raw: RawStream;
  readonly #share: UnsentShare;
  readonly #onEnd: () => void;
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** Bytes of the write that did not go through; 0: the library takes more. */
  #stuckBytes = 0;
  #open = true;

  constructor(raw: RawStream, share: UnsentShare, onEnd: () => void) {
    this.#raw = raw;
    this.#share = share;
    this.#onEnd = onEnd;
    raw.onWritable(() => this.#writable());
  }

  write(chunk: string): void {
    if (!this.#open || chunk === '') return;
    if (this.#stuckBytes === 0) this.#hand(chunk);
    else {
      this.#waiting.push(chunk);
      this.#waitingBytes += Buffer.byteLength(chunk);
    }
    if (!this.#share.set(this.bufferedBytes())) this.cut();
  }

  bufferedBytes(): number {
    return this.#waitingBytes + this.#stuckBytes;
  }

  end(): void {
    if (!this.#open) return;
    const rest = this.#waiting.join('');
    this.gone();
    this.#raw.cork(() => {
      if (rest !== '') this.#raw.write(rest);
      this.#raw.end();
    });
    this.#onEnd();
  }

  cut(): void {
    if (!this.#open) return;
    this.gone();
    this.#raw.close();
  }

  /** The connection is over: nothing may touch the response again. */
  gone(): void {
    this.#open = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#stuckBytes = 0;
    this.#share.set(0);
  }

  #hand(chunk: string): void {
    this.#raw.cork(() => {
      if (!this.#raw.write(chunk)) this.#stuckBytes = Buffer.byteLength(chunk);
    });
  }

  #writable(): boolean {
    if (!this.#open) return true;
    this.#stuckBytes = 0;
    if (this.#waiting.length === 0) this.#hand(':\n\n');
    while (this.#waiting.length > 0 && this.#stuckBytes === 0) this.#hand(this.#nextPiece());
    this.#share.set(this.bufferedBytes());
    return true;
  }

  #nextPiece(): string {
    let count = 0;
    let bytes = 0;
    for (const chunk of this.#waiting) {
      if (count > 0 && bytes >= PIECE_BYTES) break;
      bytes += Buffer.byteLength(chunk);
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count).join('');
  }
}
