import './header-room.js';
import uWS from 'uWebSockets.js';
import { exitStatus, StartError } from '@sluice/runtime';
import type { UpgradeRequest } from '../access/admit.js';
import { offersSubprotocol, SUBPROTOCOL, withoutOperators } from '../access/authenticate.js';
import { Descriptors } from '../limits/descriptors.js';
import { makeKeepRoom } from '../limits/keep-room.js';
import { startUnfinished, type Unfinished } from '../limits/unfinished.js';
import { Entrance, type Undecided } from './entrance.js';
import { type HeaderLines, readHeaderLines } from './header-lines.js';
import { Reply } from './http-exchange.js';
import { startLiveness } from './liveness.js';
import { pageRoutes } from './page.js';
import { makeServeHttp } from './serve-http.js';
import type { LiveSocket, RawSocket } from './socket.js';
import { socketPath } from './socket-path.js';
import type { Route, Server, ServerOptions } from './transport.js';

/** The value that the library has; its declarations have it in another place than the module. */
const LIBUS_LISTEN_EXCLUSIVE_PORT = 1;
/** The library takes no other values. It closes with 1006 after that time, so this is only a backstop. */
const IDLE_TIMEOUT_S = { min: 8, max: 960 };
/** A frame of up to this many times `maxPayloadBytes` gets an answer; for a larger one the socket is cut. */
const PAYLOAD_ANSWERED_FACTOR = 4;

type UserData = { readonly request: UpgradeRequest; entrance: Entrance | undefined };

const ownRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/favicon.ico',
    access: 'public',
    run: ({ reply }) => reply.text(204, '', 'image/x-icon', { 'cache-control': 'max-age=86400' }),
  },
  socketPath,
];

/** Binds the ports. Rejects with StartError when another process has one of them. */
export async function startServer(all: ServerOptions): Promise<Server> {
  const authenticate = all.admin === null ? all.authenticate : withoutOperators(all.authenticate);
  const options = { ...all, authenticate };
  const app = uWS.App();
  const sockets = new Set<LiveSocket>();
  const entrances = new Set<Entrance>();
  const unfinished = startUnfinished({
    holders: entrances,
    maxBytes: options.unsent.maxBytes,
    maxHeldBytes: PAYLOAD_ANSWERED_FACTOR * options.maxPayloadBytes,
    countedBytes: () => options.unsent.bytes,
    log: options.log,
  });
  app.ws<UserData>('/ws', webSocketBehavior(options, { sockets, entrances, unfinished }));
  const page = options.publicFile === null ? [] : pageRoutes(options.publicFile);
  serve(app, options, [...options.routes, ...ownRoutes, ...page]);
  const keepRoom = makeKeepRoom(options.descriptors ?? new Descriptors(), options.log);
  endUnless(app, keepRoom.mayStay);
  const main = await listen(app, options.host, options.port);
  const admin = await startAdmin(all).catch((error) => {
    main.close();
    throw error;
  });
  const stopLiveness = startLiveness(sockets, options.heartbeatIntervalMs);

  const closeListener = () => {
    keepRoom.stop();
    main.closeListener();
    admin?.closeListener();
  };
  const close = () => {
    keepRoom.stop();
    stopLiveness();
    unfinished.stop();
    main.close();
    admin?.close();
  };
  return { port: main.port, adminPort: admin?.port ?? null, closeListener, close };
}

/** The listener for operators (`gateway.admin_port`); undefined: their paths are on the main one. */
async function startAdmin(options: ServerOptions): Promise<Listening | undefined> {
  if (options.admin === null) return undefined;
  const app = uWS.App();
  serve(app, options, options.admin.routes);
  return listen(app, options.host, options.admin.port);
}

function serve(app: uWS.TemplatedApp, options: ServerOptions, routes: readonly Route[]): void {
  const serveHttp = makeServeHttp({ ...options, routes });
  app.any('/*', (res, req) => {
    let served: { gone(): void } | undefined;
    // Without this the library aborts the process when an answer comes later than this call.
    res.onAborted(() => served?.gone());
    const lines = readHeaderLines((line) => req.forEach(line));
    if (lines.contradiction !== undefined) return refuseLines(options, res, lines.contradiction);
    served = serveHttp(
      res,
      requestHead(req, lines.headers, addressOf(options, res, lines.headers)),
    );
  });
}

/** The library has `filter` but does not declare it: it is called with 1 for each connection that was taken. */
function endUnless(app: uWS.TemplatedApp, mayStay: () => boolean): void {
  const filter = (res: uWS.HttpResponse, change: number) => {
    if (change > 0 && !mayStay()) res.close();
  };
  Reflect.apply(Reflect.get(app, 'filter'), app, [filter]);
}

type Listening = { readonly port: number; closeListener(): void; close(): void };

function listen(app: uWS.TemplatedApp, host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const listening = (listener: uWS.us_listen_socket | false) => {
      if (listener !== false) return resolve(listeningOn(app, listener));
      app.close();
      const message = `cannot listen on ${host}:${port}: another process has it, or the address is not ours; sluice doctor says which`;
      reject(new StartError(message, exitStatus.tempFail));
    };
    // No declared overload has both host and options. Exclusive: otherwise a second process on the same port would
    // silently take half of the connections.
    Reflect.apply(app.listen, app, [host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, listening]);
  });
}

function listeningOn(app: uWS.TemplatedApp, listener: uWS.us_listen_socket): Listening {
  let isListening = true;
  const closeListener = () => {
    if (!isListening) return;
    isListening = false;
    uWS.us_listen_socket_close(listener);
  };
  const close = () => {
    closeListener();
    app.close();
  };
  return { port: uWS.us_socket_local_port(listener), closeListener, close };
}

/**
 * Refuses a request whose header lines contradict each other: its body cannot be told from the next request. It is
 * answered a moment later, because the library ends a connection on which another request follows meanwhile.
 */
function refuseLines(options: ServerOptions, res: uWS.HttpResponse, name: string): void {
  const reply = new Reply(res, false, { always: {}, share: options.unsent.of('http', '') });
  res.onAborted(() => reply.gone());
  setImmediate(() => refuseLast(reply, name));
}

function refuseLast(reply: Reply, name: string): void {
  reply.isLast();
  reply.error(
    'invalid_frame',
    `The header "${name}" came twice, with different values; send it once.`,
  );
}

type Headers = HeaderLines['headers'];

function requestHead(req: uWS.HttpRequest, headers: Headers, remoteAddress: string) {
  return {
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    query: req.getQuery(),
    headers,
    remoteAddress,
  };
}

function addressOf(
  { clientAddress }: ServerOptions,
  res: uWS.HttpResponse,
  headers: Headers,
): string {
  const forwarded = headers.get('x-forwarded-for') ?? '';
  return clientAddress(Buffer.from(res.getRemoteAddressAsText()).toString(), forwarded);
}

type Open = {
  readonly sockets: Set<LiveSocket>;
  readonly entrances: Set<Entrance>;
  readonly unfinished: Unfinished;
};

/** A socket whose close is a cut while too much is held (`Unfinished`). */
function rawSocket(ws: uWS.WebSocket<UserData>, { isPressed }: Unfinished): RawSocket {
  return {
    send: (message, isBinary) => ws.send(message, isBinary),
    cork: (run) => void ws.cork(run),
    getBufferedAmount: () => ws.getBufferedAmount(),
    end: (code, reason) => (isPressed() ? ws.close() : ws.end(code, reason)),
    close: () => ws.close(),
    ping: () => ws.ping(),
  };
}

function webSocketBehavior(
  options: ServerOptions,
  { sockets, entrances, unfinished }: Open,
): uWS.WebSocketBehavior<UserData> {
  const undecided: Undecided = { sockets: 0, bytes: 0 };
  return {
    maxPayloadLength: PAYLOAD_ANSWERED_FACTOR * options.maxPayloadBytes,
    // More than is ever buffered on purpose, so that the close frame of a slow reader still fits.
    maxBackpressure: options.maxBufferedBytes + 2 * options.maxFrameBytes,
    closeOnBackpressureLimit: 0,
    idleTimeout: idleTimeoutSeconds(options.heartbeatIntervalMs),
    sendPingsAutomatically: false,
    compression: uWS.DISABLED,
    upgrade: (res, req, context) => upgrade(options, res, { req, context }),
    open: (ws) => {
      const data = ws.getUserData();
      data.entrance = new Entrance(rawSocket(ws, unfinished), options, undecided);
      entrances.add(data.entrance);
      data.entrance.decide(data.request, sockets);
    },
    message(ws, message, isBinary) {
      const { entrance } = ws.getUserData();
      (entrance?.admitted ?? entrance)?.arrived(message, isBinary);
    },
    ping: (ws) => ws.getUserData().entrance?.heard('ping'),
    pong: (ws) => ws.getUserData().entrance?.heard('pong'),
    drain: (ws) => ws.getUserData().entrance?.drained(),
    close: (ws) => {
      const { entrance } = ws.getUserData();
      if (entrance === undefined) return;
      entrances.delete(entrance);
      entrance.gone();
    },
  };
}

/** After this time the library also removes a peer that vanished after its close. 0: it watches nothing. */
function idleTimeoutSeconds(heartbeatMs: number): number {
  const seconds = Math.ceil((3 * heartbeatMs) / 1_000) + IDLE_TIMEOUT_S.min;
  return seconds > IDLE_TIMEOUT_S.max ? 0 : seconds;
}

type Upgrade = { readonly req: uWS.HttpRequest; readonly context: uWS.us_socket_context_t };

/** Upgrades within the call of the library: later it writes only in a cork, and cannot upgrade in a cork. */
function upgrade(options: ServerOptions, res: uWS.HttpResponse, { req, context }: Upgrade): void {
  if (options.isDraining()) {
    options.onUpgrade('draining');
    return new Reply(res, false, { always: {}, share: options.unsent.of('http', '') }).error(
      'draining',
      'This node is draining; another one answers.',
    );
  }
  const { headers, contradiction } = readHeaderLines((line) => req.forEach(line));
  if (contradiction !== undefined) return refuseLines(options, res, contradiction);
  const header = (name: string) => headers.get(name) ?? '';
  const protocols = header('sec-websocket-protocol');
  const request: UpgradeRequest = {
    origin: header('origin'),
    host: header('host'),
    authorization: header('authorization'),
    protocols,
    query: req.getQuery(),
    address: addressOf(options, res, headers),
    traceparent: header('traceparent'),
  };
  res.upgrade<UserData>(
    { request, entrance: undefined },
    req.getHeader('sec-websocket-key'),
    offersSubprotocol(protocols) ? SUBPROTOCOL : '',
    req.getHeader('sec-websocket-extensions'),
    context,
  );
}
