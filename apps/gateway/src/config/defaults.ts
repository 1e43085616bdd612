import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from './config-types.js';
import type { Given } from './schema.js';

const MiB = 2 ** 20;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The port of the PraisonAI gateway, so that its clients find it. */
export const PORT = 8765;

type Section<K extends keyof Config> = Config[K];

/** Defaults adapt to given values that they depend on; relations.ts checks only given values. */
export function gatewayOf(given: Given): Omit<Section<'gateway'>, 'auth'> {
  const own = given.gateway ?? {};
  const drainTimeoutMs = own.drain_timeout ?? Math.max(10 * SECOND, own.close_spread ?? 0);
  const frame = Math.min(MiB, Math.max(1, Math.floor((own.max_buffered_bytes ?? 2 * MiB) / 2)));
  const maxPayloadBytes = own.max_payload ?? frame;
  const maxReplyBytes = own.max_reply ?? frame;
  return {
    // Nobody else can connect until authentication is configured (X3).
    host: (own.host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'),
    port: own.port ?? PORT,
    // None: one port is enough as long as no load balancer publishes it.
    adminPort: own.admin_port ?? null,
    // Random, so that a restarted node is never taken for the one that died.
    nodeId: own.node_id ?? makeNodeId(),
    roles: own.roles ?? ['edge', 'worker'],
    // 10 s: longer than most turns; with exit within 2 s more it fits Kubernetes' 30 s.
    drainTimeoutMs,
    // At most 5 s: half of the drain stays for clients that are closed last.
    closeSpreadMs: own.close_spread ?? Math.min(5 * SECOND, drainTimeoutMs / 2),
    // 0: clients stay; needed where nodes are added and removed by load.
    maxConnectionAgeMs: own.max_connection_age ?? 0,
    // 100,000 connections: at about 10 KiB each they take 1 GiB.
    maxConnections: own.max_connections ?? 100_000,
    // A tenth of the above, so that no principal takes all; a backend that speaks for all its users sets more.
    maxConnectionsPerPrincipal:
      own.max_connections_per_principal ??
      (isOpen(given) ? 0 : Math.max(1, Math.floor((own.max_connections ?? 100_000) / 10))),
    // 10 s: a client says hello as soon as it is connected.
    helloTimeoutMs: own.hello_timeout ?? 10 * SECOND,
    // 1 MiB: a long document; larger things belong into an object store.
    maxPayloadBytes,
    // 1 MiB: as a payload.
    maxReplyBytes,
    // 4 MiB per connection: a reply and its deltas, twice; 1,000 stuck readers then cost 4 GiB.
    maxBufferedBytes:
      own.max_buffered_bytes ?? Math.max(4 * MiB, 2 * Math.max(maxPayloadBytes, maxReplyBytes)),
    // 1,000 frames: about 50 s of deltas at one per 50 ms.
    maxQueuedFrames: own.max_queued_frames ?? 1_000,
    // 256 MiB: 64 connections that fill their buffers. More of them do not stop reading by accident.
    maxUnsentBytes: own.max_unsent_bytes ?? 256 * MiB,
    // A quarter of it, so that one principal leaves room to others. Without `auth` there is only one.
    maxUnsentPerPrincipalBytes:
      own.max_unsent_per_principal ?? (own.auth === undefined ? 0 : 64 * MiB),
    // 30 s: below the 60 s after which common load balancers cut an idle connection.
    heartbeatIntervalMs: own.heartbeat_interval ?? 30 * SECOND,
    // 10 min: a hung agent must not hold its session for ever.
    perTurnTimeoutMs: own.per_turn_timeout ?? 10 * MINUTE,
    // None: only the gateway's own pages.
    allowedOrigins: own.allowed_origins ?? [],
    // None: anybody can send the header.
    trustedProxies: own.trusted_proxies ?? [],
    rateLimit: rateLimitOf(given),
    // The page at `/` holds no data of its own.
    keepAlive: own.keep_alive ?? true,
    console: own.console ?? true,
  };
}

/** Without `auth` everybody is the same principal `local`, which has no limits. */
const isOpen = ({ gateway }: Given) => gateway?.auth === undefined;

function rateLimitOf(given: Given): Section<'gateway'>['rateLimit'] {
  const own = given.gateway?.rate_limit ?? {};
  const messagesPerSecond = own.messages_per_second ?? (isOpen(given) ? 0 : 50);
  const framesPerSecond = own.frames_per_second ?? 1_000;
  const requestsPerSecond = own.requests_per_second ?? (isOpen(given) ? 0 : 100);
  return {
    // 600: ten reconnects per second behind one office address.
    upgradesPerMinute: own.upgrades_per_minute ?? 600,
    // 60: more than a person mistypes, too few to guess a secret.
    unauthenticatedPerMinute: own.unauthenticated_per_minute ?? 60,
    // 50 per second: more than a person or a model sends.
    messagesPerSecond,
    // Two seconds of the above at once.
    burst: own.burst ?? Math.max(1, 2 * messagesPerSecond),
    // 60: one new session per second.
    sessionsPerMinute: own.sessions_per_minute ?? (isOpen(given) ? 0 : 60),
    // 100 per second: 50 clients that come back, or 6 MiB of history.
    requestsPerSecond,
    // Two seconds of the above at once.
    requestBurst: own.requests_burst ?? Math.max(1, 2 * requestsPerSecond),
    // 1,000: more than any client needs; at some microseconds each, 1 % of a processor.
    framesPerSecond,
    // Each second as much as one connection may send at once, so that many connections gain nothing. The limit of
    // messages fits in it.
    principalFramesPerSecond:
      own.frames_per_second_per_principal ??
      (isOpen(given) ? 0 : 2 * Math.max(framesPerSecond, messagesPerSecond)),
  };
}

/** `place`: the sentinels, else `redis.url` or what was found in its place (redis-url.ts). */
export function redisOf(
  given: Given,
  { url, sentinel }: Pick<Section<'redis'>, 'url' | 'sentinel'>,
): Section<'redis'> {
  const clusterNodes = given.redis?.cluster?.nodes ?? null;
  return {
    url: clusterNodes?.[0] ?? url,
    clusterNodes,
    sentinel,
    urlFile: given.redis?.url_file ?? null,
    tls: tlsOf(given),
    prefix: prefixOf(given),
    // 64 hash tags: enough to spread over a dozen masters, few enough to sweep every 500 ms.
    partitions: given.redis?.partitions ?? 64,
    // `memory`: as durable as Redis is by itself. More costs time in each acknowledgement, so it must be asked for.
    durability: given.redis?.durability ?? 'memory',
  };
}

function tlsOf({ redis = {} }: Given): Section<'redis'>['tls'] {
  const { tls } = redis;
  if (!tls) return null;
  return {
    // null: the CAs of the system, and those of NODE_EXTRA_CA_CERTS.
    caFile: tls.ca_file ?? null,
    certFile: tls.cert_file ?? null,
    keyFile: tls.key_file ?? null,
    serverName: tls.server_name ?? null,
  };
}

export function leaseOf({ lease = {} }: Given): Section<'lease'> {
  return {
    // 10 s: a crashed node's sessions continue within 12 s, and a pause of 6 s loses nothing.
    ttlMs: lease.ttl ?? 10 * SECOND,
    // 5 min: people type every half minute; the next message then needs neither ring nor lease.
    lingerMs: lease.linger ?? 5 * MINUTE,
    // 10,000 leases: renewed together, they cost one call for each hundred in a third of the TTL.
    maxLingering: lease.max_lingering ?? 10_000,
    // 10 min: a node that was added has its share of the conversations by then.
    maxAgeMs: lease.max_age ?? 10 * MINUTE,
    // 64 MiB: 6 KiB for each of 10,000 leases. A history beyond it is read again when it is needed.
    maxHeldHistoryBytes: lease.max_held_history ?? 64 * MiB,
    // None: the data Redis has the Redlocks. More masters are more to run, and the fence protects without them.
    quorum: lease.quorum ?? [],
  };
}

export function workerOf({ worker = {} }: Given): Section<'worker'> {
  return {
    // 64 turns: they wait for models, not for the processor.
    concurrency: worker.concurrency ?? 64,
    // 3 tries: two crashes may be the node's fault, three are the message's.
    maxAttempts: worker.max_attempts ?? 3,
    // 10: a rolling restart of ten nodes may hit the same turn each time.
    maxHandOvers: worker.max_hand_overs ?? 10,
    // 16 turns: a long inbox lets other sessions go first now and then, and seldom pays for a new lease.
    maxTurnsPerLease: worker.max_turns_per_lease ?? 16,
    // 0: no limit; the messages of a principal are limited already.
    maxTurnsPerPrincipal: worker.max_turns_per_principal ?? 0,
    // 500 ms: a takeover may take this much longer than the lease's TTL.
    sweepIntervalMs: worker.sweep_interval ?? 500,
  };
}

export function sessionOf(given: Given): Section<'session'> {
  const { session = {} } = given;
  const maxInbox = session.max_inbox ?? 256;
  return {
    // 256 messages: hours of turns; more waiting means that something is wrong.
    maxInbox,
    // 8 MiB: eight of the largest payloads.
    maxInboxBytes: session.max_inbox_bytes ?? 8 * MiB,
    // 1,000 messages: more than a model's context takes.
    maxMessages: session.max_messages ?? 1_000,
    // 10,000 events: about 100 streamed replies to replay.
    maxEvents: session.max_events ?? 10_000,
    // 8 MiB: eight of the largest payloads, or the 10,000 events of above at 800 bytes each.
    maxLogBytes: session.max_log_bytes ?? 8 * MiB,
    // 4,096 ids: a client may repeat what it sent hours ago; never below 4 x max_inbox (S3).
    maxSeen: Math.max(session.max_seen ?? 4_096, 4 * maxInbox),
    // 100: a person has to look at them.
    maxDead: session.max_dead ?? 100,
    // 0: no limit; idle ones expire.
    maxSessionsPerPrincipal: session.max_sessions_per_principal ?? 0,
    // 1 GiB: forty sessions at all their limits, or 100,000 short ones; a quarter of a Redis of 4 GiB.
    maxBytesPerPrincipal: session.max_bytes_per_principal ?? (isOpen(given) ? 0 : 1024 * MiB),
    // 24 h: come back tomorrow at the same time.
    resumeWindowMs: session.resume_window ?? 24 * 60 * MINUTE,
    // 50 ms: nobody reads faster, and it is two tokens of a fast model.
    deltaIntervalMs: session.delta_interval ?? 50,
    // `enqueue`: a message that comes while the agent works is not lost, and does not interrupt it.
    onBusy: session.on_busy ?? 'enqueue',
  };
}

export function sessionEndOf(given: Given): Section<'sessionEnd'> {
  const own = given.session_end ?? {};
  return {
    stream: own.stream ?? `${prefixOf(given)}:session-end`,
    // 100,000 entries: about 60 MB, days of rolling restarts.
    maxLength: own.max_length ?? 100_000,
    groups: own.groups ?? ['ops'],
  };
}

export function telemetryOf({ telemetry }: Given): Section<'telemetry'> {
  // null: nothing is traced, since there may be no collector.
  return { otlpEndpoint: telemetry?.otlp_endpoint ?? null };
}

export function logOf({ log = {} }: Given): Section<'log'> {
  const pretty = log.pretty ?? 'auto';
  return {
    level: log.level ?? 'info',
    // Lines for a person on a terminal, JSON for everything that collects logs.
    pretty: pretty === 'auto' ? process.stdout.isTTY === true : pretty,
  };
}

const prefixOf = (given: Given) => given.redis?.prefix ?? 'sluice';

function makeNodeId(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 100);
  return `${host}-${randomBytes(4).toString('hex')}`;
}
