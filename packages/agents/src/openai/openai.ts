import type { Secret } from '@sluice/runtime';
import type { OpenAiConfig } from '../port/config.js';
import { startDeadline } from '../port/deadline.js';
import { maxItemBytes } from '../port/events.js';
import type { Agent, AgentEvent, Reply, Turn } from '../port/port.js';
import { readAnswer } from './openai-answer.js';
import { asFailure, Client, refusalOf, tooLong } from './openai-failure.js';
import { type Prompt, promptOf } from './openai-messages.js';
import { makeRoom } from './openai-room.js';

/** The client needs some limit; with `timeout: 0` this one leaves it to `per_turn_timeout`. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

export type OpenAiOptions = { readonly apiKey: Secret; readonly maxReplyBytes: number };

/** Any endpoint that speaks OpenAI's chat completions: streams, and sends the history as messages. */
export function makeOpenAi(config: OpenAiConfig, { apiKey, maxReplyBytes }: OpenAiOptions): Agent {
  const client = new Client({
    apiKey: apiKey(),
    ...(config.baseUrl === undefined ? {} : { baseURL: config.baseUrl }),
    // The worker retries: each retry is an attempt of the message (T5).
    maxRetries: 0,
    timeout: config.timeoutMs || NO_TIMEOUT_MS,
    // The client would log chunks that it cannot parse, and they hold content (X6).
    logLevel: 'off',
  });
  const maxBytes = maxItemBytes(maxReplyBytes);
  const room = makeRoom();
  let takesStreamOptions = true;

  async function post({ messages }: Prompt, { signal, key }: { signal: AbortSignal; key: string }) {
    const chunks = client.chat.completions.create(
      {
        model: config.model,
        messages: [...messages],
        stream: true,
        ...(takesStreamOptions ? { stream_options: { include_usage: true } } : {}),
      },
      { signal, headers: { 'Idempotency-Key': key } },
    );
    return await chunks.asResponse();
  }

  /** Sends smaller and smaller requests until the endpoint accepts one. */
  async function* ask(turn: Turn, signal: AbortSignal): AsyncGenerator<AgentEvent, Reply, void> {
    const asking = room.start();
    for (let tries = 1; ; tries++) {
      const prompt = promptOf(turn, { ...config, mostBytes: asking.mostBytes });
      // A changed request needs another key than the first.
      const key = tries === 1 ? turn.idempotency_key : `${turn.idempotency_key}:${tries}`;
      try {
        const reply = yield* readAnswer(await post(prompt, { signal, key }), maxBytes);
        asking.taken(prompt.isCut);
        return reply;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === 'too_long' && prompt.exchanges === 0) throw tooLong(error);
        if (refusal === 'too_long') asking.refused(prompt.bytes);
        else if (refusal === 'stream_options' && takesStreamOptions) takesStreamOptions = false;
        else throw error;
      }
    }
  }

  return {
    usesHistory: config.historyBytes > 0,
    historyBytes: config.historyBytes,
    retry: config.retry,
    async *run(turn, { signal }) {
      const deadline = startDeadline(signal, config.timeoutMs);
      try {
        client.apiKey = apiKey();
        return yield* ask(turn, deadline.signal);
      } catch (error) {
        throw deadline.explain(asFailure(error));
      } finally {
        deadline.stop();
      }
    },
  };
}
