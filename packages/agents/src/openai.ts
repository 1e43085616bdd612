import type { HistoryMessage } from '@sluice/protocol';
import type { Secret } from '@sluice/runtime';
import OpenAI, { APIError } from 'openai';
import type { OpenAiConfig } from './config.js';
import { startDeadline } from './deadline.js';
import { newestWithin } from './history.js';
import type { Turn } from './port.js';
import { type Agent, type AgentEvent, type Reply, RetryableError, TerminalError } from './port.js';
import { isPassing, retryAfterMs } from './retry-after.js';

type Message = OpenAI.ChatCompletionMessageParam;
type Chunk = OpenAI.ChatCompletionChunk;

/** The client must have some limit; without one of ours only `per_turn_timeout` counts. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Any endpoint that speaks OpenAI's chat completions: streams, and sends the history as messages. */
export function makeOpenAi(config: OpenAiConfig, apiKey: Secret): Agent {
  const client = new OpenAI({
    apiKey: apiKey(),
    ...(config.baseUrl === undefined ? {} : { baseURL: config.baseUrl }),
    // Retries are the worker's: each is an attempt of the message (T5).
    maxRetries: 0,
    timeout: config.timeoutMs || NO_TIMEOUT_MS,
    // It would print what it cannot parse, which is content (X6).
    logLevel: 'off',
  });
  return {
    usesHistory: config.historyBytes > 0,
    retry: config.retry,
    async *run(turn, { signal }) {
      const deadline = startDeadline(signal, config.timeoutMs);
      try {
        client.apiKey = apiKey();
        const chunks = await client.chat.completions.create(
          {
            model: config.model,
            messages: messagesOf(turn, config),
            stream: true,
            stream_options: { include_usage: true },
          },
          { signal: deadline.signal, headers: { 'Idempotency-Key': turn.idempotency_key } },
        );
        const reply = yield* readChunks(chunks);
        if (reply === undefined) throw new RetryableError('the stream ended before the reply did');
        return reply;
      } catch (error) {
        throw deadline.explain(asFailure(error));
      } finally {
        deadline.stop();
      }
    },
  };
}

function messagesOf(turn: Turn, { instructions, historyBytes }: OpenAiConfig): Message[] {
  const system: Message[] = instructions ? [{ role: 'system', content: instructions }] : [];
  return [
    ...system,
    ...newestWithin(turn.history, historyBytes).flatMap(asMessage),
    { role: 'user', content: asText(turn.content) },
  ];
}

/** Turns that failed left empty replies behind, which endpoints refuse. */
function asMessage({ role, content }: HistoryMessage): Message[] {
  const text = asText(content);
  return text === '' ? [] : [{ role, content: text }];
}

function asText(content: HistoryMessage['content']): string {
  return typeof content === 'string' ? content : JSON.stringify(content);
}

/** Undefined: the stream ended before the model did; the client ends an aborted one like that. */
async function* readChunks(
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<AgentEvent, Reply | undefined, void> {
  let content = '';
  let isFinished = false;
  let usage: Reply['usage'];
  for await (const { choices, usage: counted } of chunks) {
    if (counted) usage = { ...counted };
    const choice = choices?.[0];
    if (!choice) continue;
    if (choice.finish_reason) isFinished = true;
    const { delta } = choice;
    const thought = reasoningOf(delta);
    if (thought) yield { type: 'reasoning', content: thought };
    const piece = delta?.content || delta?.refusal;
    if (!piece) continue;
    content += piece;
    yield { type: 'delta', content: piece };
  }
  if (!isFinished) return undefined;
  return usage ? { content, usage } : { content };
}

/** Not in OpenAI's own answers, but in those of several compatible endpoints. */
function reasoningOf(delta: object | undefined): string {
  const found = delta && 'reasoning_content' in delta ? delta.reasoning_content : undefined;
  return typeof found === 'string' ? found : '';
}

/** Statuses 409 and the usual ones pass, as do errors without a status: broken connections. */
function asFailure(error: unknown): unknown {
  if (error instanceof RetryableError) return error;
  const code = error instanceof APIError ? (error.code ?? error.type) : undefined;
  if (!(error instanceof APIError) || error.status === undefined) {
    return new RetryableError(
      code ? `the model failed: ${code}` : 'connection to the model failed',
    );
  }
  const message = `the model answered with status ${error.status}${code ? ` (${code})` : ''}`;
  if (!isPassing(error.status, [409])) return new TerminalError(message);
  return new RetryableError(message, retryAfterMs(error.headers?.get('retry-after')));
}
