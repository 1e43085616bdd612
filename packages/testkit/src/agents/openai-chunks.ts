type Chunk = { readonly data: string; readonly isContent: boolean };

type Wanted = {
  readonly model: string;
  readonly messages: readonly { readonly content: string }[];
  readonly stream_options?: { readonly include_usage?: boolean | undefined } | undefined;
};

let completions = 0;

/**
 * The chunks of one streamed chat completion, as the real API sends them: the role, the pieces of
 * content, the reason of the end, and, when asked for, the usage with no choices.
 */
export function* completionChunks(wanted: Wanted, pieces: readonly string[]): Generator<Chunk> {
  const includeUsage = wanted.stream_options?.include_usage === true;
  const head = {
    id: `chatcmpl-test-${++completions}`,
    object: 'chat.completion.chunk',
    created: Math.floor(Date.now() / 1_000),
    model: wanted.model,
    system_fingerprint: 'fp_test',
    ...(includeUsage ? { usage: null } : {}),
  };
  const chunk = (delta: Record<string, unknown>, finishReason: string | null = null) =>
    JSON.stringify({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    });
  yield { data: chunk({ role: 'assistant', content: '', refusal: null }), isContent: false };
  for (const content of pieces) yield { data: chunk({ content }), isContent: true };
  yield { data: chunk({}, 'stop'), isContent: false };
  if (!includeUsage) return;
  const usage = usageOf(wanted, pieces);
  yield { data: JSON.stringify({ ...head, choices: [], usage }), isContent: false };
}

/** Words stand in for tokens. */
function usageOf({ messages }: Wanted, pieces: readonly string[]) {
  const prompt = messages.reduce((sum, { content }) => sum + content.split(/\s+/).length, 0);
  return {
    prompt_tokens: prompt,
    completion_tokens: pieces.length,
    total_tokens: prompt + pieces.length,
  };
}
