import type { Readable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import { type Decoded, decodeEvent, decodeReply } from './events.js';
import { type AgentEvent, type Reply, RetryableError, TerminalError } from './port.js';

/** Bytes of one answer or one line: a reply of this size in the longest JSON escapes, and fields. */
export function maxItemBytes(maxReplyBytes: number): number {
  return 6 * maxReplyBytes + 2 ** 16;
}

type Answer = {
  readonly body: Readable;
  readonly contentType: string;
  /** The transfer says where the body ends, so that one cut short is noticed by the transport. */
  readonly isDelimited: boolean;
  readonly maxBytes: number;
};

/** Reads a 2xx answer in whichever of the three forms it comes; leaves the body undestroyed. */
export async function* readAnswer(answer: Answer): AsyncGenerator<AgentEvent, Reply, void> {
  switch (answer.contentType.split(';')[0]?.trim().toLowerCase()) {
    case 'application/json':
      return await readJson(answer);
    case 'application/x-ndjson':
      return yield* readStream(answer, lineFramer());
    case 'text/event-stream':
      return yield* readStream(answer, sseFramer());
    default:
      throw new TerminalError(
        `answered with content type "${answer.contentType.slice(0, 80)}"; known: ` +
          'application/json, text/event-stream, application/x-ndjson',
      );
  }
}

async function readJson({ body, isDelimited, maxBytes }: Answer): Promise<Reply> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) throw new TerminalError('reply_too_large');
  }
  const value = parse(Buffer.concat(chunks).toString('utf8'));
  if (value === undefined && !isDelimited) throw broken();
  if (value === undefined) throw new TerminalError('answered with invalid JSON');
  return take(decodeReply(value), 'its answer');
}

/** Turns chunks of text into complete items, the JSON of one event each. */
type Framer = { feed(chunk: string): string[]; readonly end: string };

async function* readStream(
  { body, maxBytes }: Answer,
  framer: Framer,
): AsyncGenerator<AgentEvent, Reply, void> {
  const decoder = new TextDecoder();
  let waiting = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    const items = framer.feed(decoder.decode(chunk, { stream: true }));
    waiting = items.length > 0 ? 0 : waiting + chunk.length;
    if (waiting > maxBytes) throw new TerminalError('reply_too_large');
    for (const item of items) {
      const value = parse(item);
      if (value === undefined) throw new TerminalError('streamed a line of invalid JSON');
      if (isFinal(value)) return take(decodeReply(value), 'its final');
      yield take(decodeEvent(value), 'an event of its stream:');
    }
  }
  // The last line may lack its end; what does not parse then was cut off.
  const last = framer.feed(framer.end).map(parse).find(isFinal);
  if (last === undefined) throw broken();
  return take(decodeReply(last), 'its final');
}

function lineFramer(): Framer {
  let rest = '';
  return {
    end: '\n',
    feed: (chunk) => {
      if (!chunk.includes('\n')) {
        rest += chunk;
        return [];
      }
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '');
    },
  };
}

function sseFramer(): Framer {
  let items: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => items.push(data) });
  return {
    end: '\n\n',
    feed: (chunk) => {
      items = [];
      parser.feed(chunk);
      return items;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFinal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'final';
}

function take<T>(result: Decoded<T>, what: string): T {
  if (result.kind === 'wrong') throw new TerminalError(`${what} ${result.why}`);
  return result.value;
}

function broken(): RetryableError {
  return new RetryableError('the stream ended without a final');
}
