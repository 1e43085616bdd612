import { field, listIn, textIn } from '../port/fields.js';
import { type AgentEvent, type Reply, RetryableError, TerminalError } from '../port/port.js';
import { sseFramer } from '../streams/sse-framer.js';
import { StreamedError } from './openai-failure.js';

/** After its last word an answer is read for this long, so that its connection can be used again. */
const REST_MAX_MS = 1_000;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * Reads a 2xx answer: one completion as JSON, or a stream of chunks as OpenAI and similar endpoints send them.
 * A stream is whole once it had a `finish_reason` or `[DONE]`. Unexpected fields and chunks are skipped.
 */
export async function* readAnswer(
  { headers, body }: Response,
  maxBytes: number,
): AsyncGenerator<AgentEvent, Reply, void> {
  const reader: Reader = (body ?? new Blob([]).stream()).getReader();
  let isOver = false;
  try {
    const isWhole = headers.get('content-type')?.includes('json') === true;
    const reply = isWhole
      ? yield* readWhole(reader, maxBytes)
      : yield* readChunks(dataOf(reader, maxBytes));
    isOver = true;
    return reply;
  } finally {
    if (isOver) readRest(reader);
    else reader.cancel().catch(() => {});
  }
}

async function* readWhole(reader: Reader, maxBytes: number) {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of piecesOf(reader)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes) throw new TerminalError('reply_too_large');
  }
  const completion = parse(Buffer.concat(pieces).toString('utf8'), false);
  const { text, thought } = textsOf(field(firstChoice(completion), 'message'));
  if (thought !== '') yield { type: 'reasoning', content: thought } as const;
  if (text !== '') yield { type: 'delta', content: text } as const;
  return replyOf(text, usageIn(completion));
}

async function* readChunks(items: AsyncIterable<string>): AsyncGenerator<AgentEvent, Reply, void> {
  let content = '';
  let isFinished = false;
  let hasBegun = false;
  let usage: Reply['usage'];
  for await (const item of items) {
    if (item.startsWith('[DONE]')) return replyOf(content, usage);
    const chunk = parse(item, hasBegun);
    const choice = firstChoice(chunk);
    usage = usageIn(chunk) ?? usage;
    if (textIn(choice, 'finish_reason') !== '') isFinished = true;
    const { text, thought } = textsOf(field(choice, 'delta'));
    hasBegun ||= text !== '' || thought !== '';
    if (thought !== '') yield { type: 'reasoning', content: thought };
    if (text === '') continue;
    content += text;
    yield { type: 'delta', content: text };
  }
  if (!isFinished) throw new RetryableError('the stream ended before the reply did');
  return replyOf(content, usage);
}

/** Parses a chunk or a whole completion; throws if it carries an error. */
function parse(item: string, hasBegun: boolean): unknown {
  let value: unknown;
  try {
    value = JSON.parse(item);
  } catch {
    throw new RetryableError('the model streamed invalid JSON');
  }
  const error = field(value, 'error');
  if (error) throw new StreamedError(field(error, 'error') ?? error, hasBegun);
  if (textIn(firstChoice(value), 'finish_reason') === 'error')
    throw new StreamedError({}, hasBegun);
  return value;
}

function firstChoice(chunk: unknown): unknown {
  return listIn(chunk, 'choices').find((choice) => (field(choice, 'index') ?? 0) === 0);
}

function usageIn(chunk: unknown): Reply['usage'] {
  const usage = field(chunk, 'usage');
  return typeof usage === 'object' && usage !== null ? { ...usage } : undefined;
}

/** `content` is text or a list of parts. Endpoints that stream reasoning have different fields for it. */
function textsOf(delta: unknown): { text: string; thought: string } {
  const parts = listIn(delta, 'content');
  const text = textIn(delta, 'content') || joined(parts) || textIn(delta, 'refusal');
  const thinking = parts.flatMap((part) => listIn(part, 'thinking'));
  const thought = textIn(delta, 'reasoning_content') || textIn(delta, 'reasoning');
  return { text, thought: thought || joined(thinking) };
}

function joined(parts: readonly unknown[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : textIn(part, 'text'))).join('');
}

function replyOf(content: string, usage: Reply['usage']): Reply {
  return usage ? { content, usage } : { content };
}

async function* dataOf(reader: Reader, maxBytes: number): AsyncGenerator<string, void, void> {
  // An event of that name is an error whatever its data looks like.
  const framer = sseFramer(({ event, data }) => (event === 'error' ? `{"error":${data}}` : data));
  const decoder = new TextDecoder();
  let waiting = 0;
  for await (const piece of piecesOf(reader)) {
    const items = framer.feed(decoder.decode(piece, { stream: true }));
    waiting = items.length > 0 ? 0 : waiting + piece.length;
    if (waiting > maxBytes) throw new TerminalError('reply_too_large');
    yield* items;
  }
  // The last line may lack its end.
  yield* framer.feed(framer.end);
}

async function* piecesOf(reader: Reader): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function readRest(reader: Reader): void {
  const late = setTimeout(() => void reader.cancel().catch(() => {}), REST_MAX_MS);
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  rest()
    .catch(() => {})
    .finally(() => clearTimeout(late));
}
