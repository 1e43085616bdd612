import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { sleep } from '@sluice/runtime';
import { z } from 'zod';
import { listenLocal } from './listen-local.js';
import { completionChunks } from './openai-chunks.js';

const requestSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
  stream: z.literal(true),
  stream_options: z.object({ include_usage: z.boolean().optional() }).optional(),
});

export type CompletionRequest = z.infer<typeof requestSchema>;
export type RecordedCompletion = {
  readonly request: CompletionRequest;
  readonly headers: IncomingHttpHeaders;
  /** The gateway closed the connection before the answer was complete. */
  readonly closedByPeer: boolean;
};

/** A fault for one request. */
export type OpenAiFault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'hang' }
  /** Cuts the connection after `afterChunks` chunks of content. */
  | { readonly kind: 'break'; readonly afterChunks: number }
  /** Ends the body properly, but before the model has finished. */
  | { readonly kind: 'end'; readonly afterChunks: number }
  /** An error object in the stream, as the API sends when a model fails in mid-answer. */
  | { readonly kind: 'stream_error'; readonly afterChunks: number }
  /** Exactly this answer, as from an endpoint that is similar to OpenAI's. */
  | {
      readonly kind: 'answer';
      readonly body: string;
      readonly status?: number;
      readonly contentType?: string;
    };

export type OpenAiServerOptions = {
  /** Default `test-key`. */
  readonly apiKey?: string;
  /** The pieces that are streamed; default: `You said: <last message>`, word by word. */
  readonly reply?: (request: CompletionRequest) => readonly string[];
  /** Pause before each chunk; default none. */
  readonly everyMs?: number;
  /** Limit of characters of all messages together; default: none. */
  readonly window?: number;
  /** Refuses two messages of one role in a row, and a last message that is not the user's. */
  readonly alternating?: boolean;
  /** Refuses requests with this parameter. */
  readonly refuses?: 'stream_options' | '';
  readonly faults?: readonly OpenAiFault[];
};

export type OpenAiServer = {
  /** For `base_url`: ends in `/v1`. */
  readonly baseUrl: string;
  readonly requests: readonly RecordedCompletion[];
  /** Queues faults for the requests to come. */
  fault(...faults: OpenAiFault[]): void;
  /** Cuts what is open and stops listening. */
  close(): Promise<void>;
};

type State = Required<OpenAiServerOptions> & {
  readonly faults: OpenAiFault[];
  readonly requests: RecordedCompletion[];
};

/** `POST /v1/chat/completions` on 127.0.0.1, streaming as the real API does. */
export async function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const state: State = {
    apiKey: options.apiKey ?? 'test-key',
    reply: options.reply ?? repeatBack,
    everyMs: options.everyMs ?? 0,
    window: options.window ?? Number.POSITIVE_INFINITY,
    alternating: options.alternating ?? false,
    refuses: options.refuses ?? '',
    faults: [...(options.faults ?? [])],
    requests: [],
  };
  const server = createServer((request, response) => {
    serve(request, response, state).catch((error: unknown) => {
      refuse(response, { status: 400, code: 'invalid_request', message: String(error) });
    });
  });
  const { origin, close } = await listenLocal(server, 0);
  return {
    baseUrl: `${origin}/v1`,
    requests: state.requests,
    fault: (...faults) => {
      state.faults.push(...faults);
    },
    close,
  };
}

function repeatBack({ messages }: CompletionRequest): readonly string[] {
  return `You said: ${messages.at(-1)?.content}`.match(/\s*\S+/g) ?? [];
}

async function serve(request: IncomingMessage, response: ServerResponse, state: State) {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
    return refuse(response, { status: 404, code: 'unknown_url', message: 'Unknown request URL' });
  }
  const body = await text(request);
  if (request.headers.authorization !== `Bearer ${state.apiKey}`) {
    return refuse(response, {
      status: 401,
      code: 'invalid_api_key',
      message: 'Incorrect API key provided.',
    });
  }
  const completion = requestSchema.parse(JSON.parse(body));
  const record = { request: completion, headers: request.headers, closedByPeer: false };
  state.requests.push(record);
  const gone = new AbortController();
  response.once('close', () => {
    record.closedByPeer = !response.writableFinished && !cut.has(response);
    gone.abort();
  });
  const fault = state.faults.shift();
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'status') return refuse(response, { ...fault, code: 'test_fault' });
  if (fault?.kind === 'answer') {
    const { status = 200, contentType = 'text/event-stream', body: answer } = fault;
    response.writeHead(status, { 'content-type': contentType }).end(answer);
    return;
  }
  const refusal = refusalOf(completion, state);
  if (refusal) return refuse(response, { status: 400, ...refusal });
  await stream(response, completion, { state, fault, signal: gone.signal });
}

function refusalOf(
  { messages, stream_options }: CompletionRequest,
  { window, alternating, refuses }: State,
): Pick<Refusal, 'code' | 'message'> | undefined {
  const length = messages.reduce((sum, { content }) => sum + content.length, 0);
  if (length > window) {
    const message = `This model's maximum context length is ${window} tokens, not ${length}.`;
    return { code: 'context_length_exceeded', message };
  }
  const roles = messages.map(({ role }) => role).filter((role) => role !== 'system');
  const isInTurn = roles.every((role, at) => role === (at % 2 === 0 ? 'user' : 'assistant'));
  if (alternating && !(isInTurn && roles.at(-1) === 'user')) {
    return { code: 'invalid_request', message: 'roles must alternate user/assistant' };
  }
  if (refuses !== '' && stream_options !== undefined) {
    return { code: 'unknown_parameter', message: `Unrecognized request argument: ${refuses}` };
  }
  return undefined;
}

/** Responses that this server has cut itself. */
const cut = new WeakSet<ServerResponse>();

type Streaming = {
  readonly state: State;
  readonly fault: Exclude<OpenAiFault, { kind: 'hang' | 'status' | 'answer' }> | undefined;
  readonly signal: AbortSignal;
};

async function stream(
  response: ServerResponse,
  completion: CompletionRequest,
  { state, fault, signal }: Streaming,
) {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  let contents = 0;
  for (const chunk of completionChunks(completion, state.reply(completion))) {
    if (chunk.isContent && contents++ === fault?.afterChunks) {
      await turnOfLoop();
      return fail(response, fault.kind);
    }
    if (state.everyMs > 0) await sleep(state.everyMs, signal);
    if (signal.aborted) return;
    response.write(`data: ${chunk.data}\n\n`);
  }
  response.end('data: [DONE]\n\n');
}

function fail(response: ServerResponse, kind: 'break' | 'end' | 'stream_error') {
  if (kind === 'break') {
    cut.add(response);
    response.destroy();
    return;
  }
  const error = { message: 'The server had an error.', type: 'server_error', code: 'server_error' };
  response.end(kind === 'end' ? undefined : `data: ${JSON.stringify({ error })}\n\n`);
}

type Refusal = {
  readonly status: number;
  readonly code: string;
  readonly message?: string;
  readonly retryAfter?: string;
};

/** An error in the shape of OpenAI's API. */
function refuse(response: ServerResponse, refusal: Refusal) {
  const { status, code, retryAfter, message = `status ${status} on request` } = refusal;
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  });
  const type = status === 401 ? 'invalid_request_error' : 'server_error';
  response.end(JSON.stringify({ error: { message, type, param: null, code } }));
}
