import { atMostEvery, type Logger, monotonicMs } from '@sluice/runtime';
import { type RateKind, type Store, sessionKeyId } from '@sluice/store';
import type { Auth, Config } from '../config/config-types.js';
import type { Secret } from '../config/secret.js';
import type { Tracing } from '../tracing/tracing.js';
import { everybody, makeCredentials } from './access/authenticate.js';
import { makeClientAddress } from './access/client-address.js';
import { followSecrets } from './access/live-secrets.js';
import { makeCheckOrigin } from './access/origin.js';
import { makeFanOut } from './delivery/fan-out.js';
import { makeMarks } from './delivery/marks.js';
import { makeHasRoom } from './has-room.js';
import type { DescribedRoute } from './http/define-route.js';
import type { Waits } from './http/post-message.js';
import type { Info } from './http/routes/about.js';
import { metricsRoute } from './http/routes/metrics.js';
import type { OpenStreams } from './http/sse.js';
import { openFilesLimit, roomForConnections } from './limits/descriptors.js';
import { FramePaces } from './limits/frame-pace.js';
import { makePaidReads } from './limits/paid-reads.js';
import { makeEdgeRates } from './limits/rates.js';
import type { EdgeCounts } from './limits/results.js';
import { makeTellLimited } from './limits/tell-limited.js';
import { Unsent, type UnsentLimits } from './limits/unsent.js';
import { startServer } from './network/server.js';
import type { Route, ServerOptions } from './network/transport.js';
import type { Open } from './open.js';
import { startRebalance } from './rebalance.js';
import { startRevoke } from './revoke.js';
import { makeRoutes } from './routes.js';
import type { EdgeContext, EdgeLimits } from './session/context.js';
import { startTouch } from './session/keep-sessions.js';
import type { Connection } from './socket/connection.js';
import { startHelloTimeout } from './socket/hello-timeout.js';
import { listenToSockets } from './socket/listen.js';

/** While events flow, a resume mark is written at most this often (E10). */
const MARK_INTERVAL_MS = 1_000;
const TOUCH_INTERVAL_MAX_MS = 60_000;
/** What JSON and the other fields of a frame add to a reply or a snapshot. */
const FRAME_OVERHEAD_BYTES = 64 * 1024;
const FLOOD_TOLD_MS = 10_000;
const FULL_TOLD_MS = 10_000;
/** Flooding connections that are closed with a code in that time; more of them are cut. */
const FLOODS_TOLD_MAX = 1;
/** Metadata of one session, such as a title and tags: they are in every snapshot and every line of a listing. */
const METADATA_BYTES_MAX = 16 * 1024;

/** Limits of principals; the others are limits of addresses. */
const ofPrincipals: ReadonlySet<RateKind> = new Set(['messages', 'sessions', 'requests']);

export type EdgeOptions = {
  readonly store: Store;
  readonly config: Config;
  readonly metrics: EdgeCounts;
  /** Everything that this node counts and measures, for Prometheus. */
  metricsText(): Promise<string>;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly probes: readonly DescribedRoute[];
  readonly publicFile: string | null;
  hasAgent(agent: string): boolean;
  isDraining(): boolean;
  /** How many nodes of the cluster beat, this one included. */
  liveNodes(): number;
  info(connections: number, sessions: number): Info;
};

export type RunningEdge = Awaited<ReturnType<typeof startEdge>>;

/** Starts the edge role: sockets and HTTP in, frames out. */
export async function startEdge(options: EdgeOptions) {
  const { config, log } = options;
  const streams: OpenStreams = new Set();
  const connections = new Set<Connection>();
  const context = makeContext(options, { connections, streams });
  const waits: Waits = new Set();
  const info = () => options.info(connections.size, context.fanOut.sessions().length);
  const { gateway } = config;
  const serves = gateway.roles.includes('edge');
  const isPublic = config.metrics.public || gateway.adminPort !== null;
  const metrics = metricsRoute(isPublic ? 'public' : 'admin', options.metricsText);
  const own = [...options.probes, metrics];
  const routes = makeRoutes(context, { streams, waits, info, own });
  const secrets = followSecrets(secretsOf(gateway.auth), log);
  const credentials =
    gateway.auth === null ? everybody : makeCredentials(gateway.auth, secrets, log);
  const server = await startServer({
    host: gateway.host,
    port: gateway.port,
    maxPayloadBytes: gateway.maxPayloadBytes,
    maxBufferedBytes: gateway.maxBufferedBytes,
    maxFrameBytes:
      2 * Math.max(gateway.maxReplyBytes, gateway.maxPayloadBytes) + FRAME_OVERHEAD_BYTES,
    heartbeatIntervalMs: gateway.heartbeatIntervalMs,
    keepAlive: gateway.keepAlive,
    paces: new FramePaces(framesOf(gateway), monotonicMs),
    onFlood: floodsOf(context),
    unsent: new Unsent({
      maxBytes: gateway.maxUnsentBytes,
      maxBytesPerPrincipal: gateway.maxUnsentPerPrincipalBytes,
      onFull: tellFull(context),
    }),
    // A node without the role `edge` turns clients away too.
    isDraining: () => !serves || options.isDraining(),
    hasRoom: context.hasRoom,
    clientAddress: makeClientAddress(gateway.trustedProxies),
    rates: context.rates,
    onUpgrade: context.metrics.upgrade,
    authenticate: credentials.authenticate,
    checkOrigin: makeCheckOrigin({
      allowedOrigins: gateway.allowedOrigins,
      authRequired: gateway.auth !== null,
    }),
    ...placeRoutes(options, { metrics, routes: serves ? routes : [] }),
    socketEvents: listenToSockets(context, connections),
    publicFile: options.publicFile,
    log,
  });
  const touchMs = Math.min(TOUCH_INTERVAL_MAX_MS, Math.max(100, config.session.resumeWindowMs / 3));
  const open = { context, connections, streams };
  const timers = [
    context.marks.start(MARK_INTERVAL_MS),
    ...(gateway.helloTimeoutMs > 0
      ? [startHelloTimeout({ connections, log }, gateway.helloTimeoutMs)]
      : []),
    startTouch(context, touchMs),
    startRevoke(open, credentials),
    ...(gateway.maxConnectionAgeMs > 0 ? [startRebalance(open, gateway.maxConnectionAgeMs)] : []),
  ];
  return { ...open, server, waits, timers, secrets };
}

/**
 * Which port serves which paths. With an admin port the paths of operators are on that port only. Probes and the
 * paths of sessions are on both: there an operator asks for the sessions of others, here a client for its own.
 * Metrics are on the admin port, without credentials; when they are public, on both.
 */
function placeRoutes(
  { config, probes }: EdgeOptions,
  { metrics, routes }: { metrics: Route; routes: readonly Route[] },
) {
  const { adminPort } = config.gateway;
  if (adminPort === null) return { routes: [...probes, metrics, ...routes], admin: null };
  const forOperators = routes.map(
    (route): Route => (route.access === 'public' ? route : { ...route, access: 'admin' }),
  );
  const others = routes.filter(({ access }) => access !== 'admin');
  return {
    routes: [...probes, ...(config.metrics.public ? [metrics] : []), ...others],
    admin: { port: adminPort, routes: [...probes, metrics, ...forOperators] },
  };
}

const framesOf = ({ rateLimit }: Config['gateway']) => ({
  connection: rateLimit.framesPerSecond,
  principal: rateLimit.principalFramesPerSecond,
});

/** Logs floods at most every 10 s, with their number. Returns whether this one is closed with a code. */
function floodsOf({ metrics, log }: EdgeContext): ServerOptions['onFlood'] {
  let answered = 0;
  const dueTells = atMostEvery(FLOOD_TOLD_MS);
  return (peer) => {
    metrics.rateLimited('frames');
    const tells = dueTells();
    if (tells > 0) {
      answered = 0;
      const more = tells - 1;
      log.warn({ ...peer, more }, 'connection closed: it sent more frames than it may');
    }
    answered += 1;
    return answered <= FLOODS_TOLD_MAX;
  };
}

/** Lowers `max_connections` to what open files allow, so that a client beyond it can still be told why. */
function withinOpenFiles(gateway: Config['gateway']): Config['gateway'] {
  const maxConnections = Math.min(gateway.maxConnections, roomForConnections(openFilesLimit()));
  return { ...gateway, maxConnections };
}

/** Logs connections that were given up, and counts those of HTTP. A socket is counted where it is closed. */
function tellFull({ metrics, log }: EdgeContext): UnsentLimits['onFull'] {
  const dueTells = atMostEvery(FULL_TOLD_MS);
  return (kind, principal) => {
    if (kind === 'http') metrics.slowConsumer();
    const tells = dueTells();
    if (tells === 0) return;
    const more = tells - 1;
    log.warn({ principal, more }, 'connection ended: too much waits for readers that do not read');
  };
}

function secretsOf(auth: Auth | null): Secret[] {
  if (auth === null) return [];
  const tokens = auth.tokens.map(({ secret }) => secret);
  const keys = auth.jwt?.keys;
  return keys === undefined || keys.kind === 'jwks' ? tokens : [...tokens, keys];
}

function makeContext(
  options: EdgeOptions,
  { connections, streams }: Omit<Open, 'context'>,
): EdgeContext {
  const { store, config, log, hasAgent, isDraining } = options;
  const { gateway, session } = config;
  const limits: EdgeLimits = {
    maxPayloadBytes: gateway.maxPayloadBytes,
    maxBufferedBytes: gateway.maxBufferedBytes,
    maxQueuedFrames: gateway.maxQueuedFrames,
    heartbeatIntervalMs: gateway.heartbeatIntervalMs,
    maxMessages: session.maxMessages,
    maxMetadataBytes: Math.min(METADATA_BYTES_MAX, gateway.maxPayloadBytes),
    maxSessionsPerPrincipal: session.maxSessionsPerPrincipal,
    resumeWindowMs: session.resumeWindowMs,
    onBusy: session.onBusy,
  };
  const { channels, keys, sessions } = store;
  const tellLimited = makeTellLimited(log);
  const rates = makeEdgeRates(store.rates, gateway, {
    liveNodes: options.liveNodes,
    onRefused(kind, subject) {
      options.metrics.rateLimited(kind);
      if (ofPrincipals.has(kind)) tellLimited(kind, subject);
    },
    onOwed: (principal) => tellLimited('requests', principal),
  });
  const reads = makePaidReads(sessions, rates);
  return {
    nodeId: gateway.nodeId,
    sessions,
    reads,
    sessionList: store.sessionList,
    inbox: store.inbox,
    deadLetters: store.deadLetters,
    pauses: store.pauses,
    rates,
    durability: store.durability,
    ends: store.sessionEnds,
    nodes: store.nodes,
    fanOut: makeFanOut({ channels, keys, sessions, reads, damage: store.damage }),
    tracing: options.tracing,
    limits,
    metrics: options.metrics,
    log,
    tellLimited,
    marks: makeMarks(sessions, log),
    hasAgent,
    isDraining,
    hasRoom: makeHasRoom(withinOpenFiles(gateway), connections, streams),
    partitionOf: (ref) => keys.partitionOf(sessionKeyId(ref.principal, ref.sessionId)),
  };
}
