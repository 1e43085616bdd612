import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { type Listening, listenLocal } from './listen-local.js';
import { makeRespond, type Respond } from './respond.js';

const turnSchema = z.object({
  session_id: z.string(),
  principal: z.string(),
  message_id: z.string(),
  turn_id: z.string(),
  content: z.union([z.string(), z.record(z.string(), z.unknown())]),
  metadata: z.record(z.string(), z.unknown()),
  attempt: z.int().min(1),
  fence: z.int(),
  history: z.array(z.looseObject({ role: z.string(), content: z.unknown() })),
});

/** The body of a turn, read as a foreign agent would read it. */
export type HttpTurn = z.infer<typeof turnSchema>;

/** One moment on both clocks; intervals are measured on the monotonic one. */
export type Instant = { readonly monotonicMs: number; readonly wallMs: number };

export type RecordedTurn = {
  readonly turn: HttpTurn;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came, to check the signature. */
  readonly body: string;
  readonly startedAt: Instant;
  /** When the behaviour was done and the answer sent or cut; null while it runs. */
  readonly endedAt: Instant | null;
  /** The gateway closed the connection before the answer was complete. */
  readonly closedByPeer: boolean;
};

export type BehaviourContext = {
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the connection is gone, whoever closed it. */
  readonly signal: AbortSignal;
  readonly respond: Respond;
  /** Address and port of the other side, to tell connections apart. */
  readonly peer: string;
};
export type Behaviour = (turn: HttpTurn, context: BehaviourContext) => void | Promise<void>;

export type HttpAgent = {
  /** Where turns are POSTed. */
  readonly url: string;
  /** Every turn that came, in order of arrival. */
  readonly turns: readonly RecordedTurn[];
  /** Replaces the behaviour for the turns that come from now on. */
  behave(behaviour: Behaviour): void;
  /** Cuts what is open and stops listening. */
  close(): Promise<void>;
};

export type HttpAgentOptions = {
  /** Default: the reply `echo: <content>` at once. */
  readonly behaviour?: Behaviour;
  /** Default 0, any free one; give the old one to come back after `close`. */
  readonly port?: number;
};

/** A real HTTP agent on 127.0.0.1 that records its turns and does with them what a test wants. */
export async function startHttpAgent(options: HttpAgentOptions = {}): Promise<HttpAgent> {
  let behaviour = options.behaviour ?? echo;
  const turns: RecordedTurn[] = [];
  const server = createServer((request, response) => {
    serve(request, response, { turns, behaviour }).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  const listening: Listening = await listenLocal(server, options.port ?? 0);
  return {
    url: `${listening.origin}/turn`,
    turns,
    behave: (next) => {
      behaviour = next;
    },
    close: listening.close,
  };
}

const echo: Behaviour = (turn, { respond }) => {
  const { content } = turn;
  respond.json({
    content: `echo: ${typeof content === 'string' ? content : JSON.stringify(content)}`,
  });
};

type Serving = { readonly turns: RecordedTurn[]; readonly behaviour: Behaviour };

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { turns, behaviour }: Serving,
): Promise<void> {
  const startedAt = now();
  const body = await text(request);
  const turn = turnSchema.parse(JSON.parse(body));
  const { headers, socket } = request;
  const peer = `${socket.remoteAddress}:${socket.remotePort}`;
  const record = {
    turn,
    headers,
    body,
    startedAt,
    endedAt: null as Instant | null,
    closedByPeer: false,
  };
  turns.push(record);
  const gone = new AbortController();
  const respond = makeRespond(response);
  const closed = new Promise<void>((resolve) => {
    response.once('close', () => {
      record.closedByPeer = !response.writableFinished && !respond.isBroken();
      gone.abort();
      resolve();
    });
  });
  try {
    await behaviour(turn, { headers, signal: gone.signal, respond, peer });
    if (!response.writableEnded && !response.destroyed) throw new Error('behaviour did not answer');
    await closed;
  } finally {
    record.endedAt = now();
  }
}

function now(): Instant {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}
