import type { Readable } from 'node:stream';
import { decodeEvent, decodeReply, hasType, take, takeFailure } from '../port/events.js';
import { type AgentEvent, type Reply, RetryableError, TerminalError } from '../port/port.js';
import { type Framer, lineFramer } from '../streams/line-framer.js';
import { sseFramer } from '../streams/sse-framer.js';

type Answer = {
  readonly body: Readable;
  readonly contentType: string;
  /** HTTP itself says where the body ends, so that the transport notices a body that was cut short. */
  readonly isDelimited: boolean;
  readonly maxBytes: number;
};

/** Reads a 2xx answer as JSON, Server-Sent Events or NDJSON; leaves the body undestroyed. */
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
      if (hasType(value, 'final')) return take(decodeReply(value), 'its final');
      if (hasType(value, 'error')) throw takeFailure(value, 'its error');
      yield take(decodeEvent(value), 'an event of its stream:');
    }
  }
  // The last line may lack its end; if it does not parse then, it was cut off.
  const last = framer
    .feed(framer.end)
    .map(parse)
    .find((value) => hasType(value, 'final') || hasType(value, 'error'));
  if (last === undefined) throw broken();
  if (hasType(last, 'error')) throw takeFailure(last, 'its error');
  return take(decodeReply(last), 'its final');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function broken(): RetryableError {
  return new RetryableError('the stream ended without a final');
}
