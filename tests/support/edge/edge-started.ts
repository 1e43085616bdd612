import { once } from 'node:events';
import { Writable } from 'node:stream';
import { afterEach } from '@jest/globals';
import { pino } from 'pino';
import WebSocket from 'ws';
import { makeCheckOrigin } from '../../../apps/gateway/src/edge/access/origin.js';
import { FramePaces } from '../../../apps/gateway/src/edge/limits/frame-pace.js';
import { Unsent } from '../../../apps/gateway/src/edge/limits/unsent.js';
import { startServer } from '../../../apps/gateway/src/edge/network/server.js';
import type {
  Server,
  ServerOptions,
  Socket,
  SocketEvents,
} from '../../../apps/gateway/src/edge/network/transport.js';
import { credentialsOf } from './auth-made.js';

/** What the server told its listener, in order. */
export type Told = { readonly what: keyof SocketEvents; readonly detail?: string };

export type Started = {
  readonly server: Server;
  readonly url: string;
  readonly wsUrl: string;
  readonly sockets: Socket[];
  readonly told: Told[];
  readonly logged: string[];
};

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const tokens = [
  { token: 'alice-secret', principal: 'alice', scopes: ['read', 'write'] as const },
  { token: 'reader-secret', principal: 'reader', scopes: ['read'] as const },
];

/** A server on a free port that is gone after the test; `auth` true: the two tokens above. */
export async function started(
  overrides: Partial<ServerOptions> & {
    auth?: boolean;
    drained?: (socket: Socket) => void;
  } = {},
): Promise<Started> {
  const { auth = false, drained, ...rest } = overrides;
  const sockets: Socket[] = [];
  const told: Told[] = [];
  const logged: string[] = [];
  const sink = new Writable({
    write: (line, _encoding, done) => {
      logged.push(String(line));
      done();
    },
  });
  const socketEvents: SocketEvents = {
    open: (socket) => {
      sockets.push(socket);
      told.push({ what: 'open' });
    },
    message: (_socket, text) => told.push({ what: 'message', detail: text }),
    refused: (_socket, code) => told.push({ what: 'refused', detail: code }),
    drained: (socket) => {
      told.push({ what: 'drained' });
      drained?.(socket);
    },
    inbound: () => told.push({ what: 'inbound' }),
    closed: () => told.push({ what: 'closed' }),
  };
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    maxPayloadBytes: 1_000,
    maxBufferedBytes: 4_000_000,
    maxFrameBytes: 1_000_000,
    heartbeatIntervalMs: 30_000,
    keepAlive: true,
    paces: new FramePaces({ connection: 1_000, principal: 0 }, () => performance.now()),
    onFlood: () => true,
    unsent: new Unsent({ maxBytes: 256 * 2 ** 20, maxBytesPerPrincipal: 0, onFull: () => {} }),
    isDraining: () => false,
    onUpgrade: () => {},
    hasRoom: () => true,
    clientAddress: (peer) => peer,
    rates: {
      upgrade: () => ({ kind: 'admitted' }),
      unauthenticated: () => ({ kind: 'admitted' }),
      guessWaitMs: () => 0,
      request: () => ({ kind: 'admitted' }),
    },
    authenticate: credentialsOf(auth ? tokens : []).authenticate,
    checkOrigin: makeCheckOrigin({
      allowedOrigins: ['https://app.example'],
      authRequired: auth,
    }),
    routes: [],
    admin: null,
    socketEvents,
    publicFile: null,
    log: pino({ level: 'trace' }, sink),
    ...rest,
  });
  cleanups.push(() => server.close());
  const at = `127.0.0.1:${server.port}`;
  return { server, url: `http://${at}`, wsUrl: `ws://${at}/ws`, sockets, told, logged };
}

export type Client = {
  readonly ws: WebSocket;
  readonly frames: string[];
  readonly closed: Promise<{ code: number; reason: string }>;
};

/** A WebSocket client that listens before it is open, so that it misses nothing. */
export function client(
  url: string,
  protocols: string[] = [],
  options: WebSocket.ClientOptions = {},
): Client {
  const ws = new WebSocket(url, protocols, options);
  const frames: string[] = [];
  ws.on('message', (data) => frames.push(String(data)));
  ws.on('error', () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  cleanups.push(() => ws.terminate());
  return { ws, frames, closed };
}

export async function connected(...args: Parameters<typeof client>): Promise<Client> {
  const made = client(...args);
  await once(made.ws, 'open');
  return made;
}

/** Waits for a condition, for at most 5 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited 5 s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
