import { modes } from '@sluice/protocol';
import { z } from 'zod';
import { clusterNodeUrl, redisUrl, sentinelNode } from './redis-url.js';
import {
  choice,
  cidr,
  duration,
  leaf,
  list,
  section,
  size,
  text,
  url,
  whole,
  yesNo,
} from './values.js';

/** `resume_window` is an expiry in Redis, not a timer: it may exceed what a timer can wait. */
const YEARS_10_MS = 3_650 * 86_400_000;
/** uWebSockets.js takes 32 bits for a frame of 4 x `max_payload`, a Redis string 512 MiB. */
const FRAME_MAX = 256 * 2 ** 20;
/** uWebSockets.js takes 32 bits for the buffer plus two of the largest frames. */
const BUFFER_MAX = 2 ** 31;

/** Without `.` and `..`: programs that read a URL resolve them in its path, escaped or not. */
export const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/;
const name = text('1 to 128 characters of A-Z a-z 0-9 . _ -, and neither "." nor ".."', NAME);
const line = text('text', /^[^\n\r]+$/);
const path = text('the path of a file', /^[^\0]+$/);
/** Visible ASCII, since the secret travels in a header, a subprotocol and a query. */
const secret = text('visible ASCII characters without blanks', /^[\x21-\x7e]+$/, true);
const origin = text(
  'scheme, host and port as browsers send them, e.g. https://app.example.com (no path, no slash at the end)',
  /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s*A-Z]+$/,
);

const scopes = ['read', 'write', 'operate', 'admin'] as const;
const token = section({
  token: secret.optional(),
  token_file: path.optional(),
  principal: text('a name of 1 to 256 characters', /^[^\n\r\0]{1,256}$/),
  scopes: list(choice(scopes)).optional(),
});

const jwt = section({
  secret: secret.optional(),
  secret_file: path.optional(),
  jwks_url: url(['https:', 'http:']).optional(),
  public_key: text('a public key in PEM', /\S/, true).optional(),
  public_key_file: path.optional(),
  issuer: line.optional(),
  audience: line.optional(),
  principal_claim: line.optional(),
  scopes_claim: line.optional(),
});

const gateway = section({
  host: text('a host name or an IP address', /^[A-Za-z0-9.:[\]%_-]+$/).optional(),
  port: whole(0, 65_535).optional(),
  admin_port: whole(0, 65_535).optional(),
  node_id: name.optional(),
  roles: list(choice(['edge', 'worker'])).optional(),
  drain_timeout: duration(0).optional(),
  close_spread: duration(0).optional(),
  max_connection_age: duration(0).optional(),
  max_connections: whole(1).optional(),
  max_connections_per_principal: whole(0).optional(),
  hello_timeout: duration(0).optional(),
  max_payload: size(FRAME_MAX).optional(),
  max_reply: size(FRAME_MAX).optional(),
  max_buffered_bytes: size(BUFFER_MAX).optional(),
  max_queued_frames: whole(1).optional(),
  max_unsent_bytes: size().optional(),
  max_unsent_per_principal: size().optional(),
  heartbeat_interval: duration(1).optional(),
  per_turn_timeout: duration(0).optional(),
  allowed_origins: list(origin).optional(),
  trusted_proxies: list(cidr).optional(),
  auth: section({ tokens: list(token).optional(), jwt: jwt.optional() }).optional(),
  rate_limit: section({
    upgrades_per_minute: whole(0).optional(),
    unauthenticated_per_minute: whole(0).optional(),
    messages_per_second: whole(0).optional(),
    burst: whole(1).optional(),
    sessions_per_minute: whole(0).optional(),
    frames_per_second: whole(0).optional(),
    frames_per_second_per_principal: whole(0).optional(),
    requests_per_second: whole(0).optional(),
    requests_burst: whole(1).optional(),
  }).optional(),
  keep_alive: yesNo.optional(),
  console: yesNo.optional(),
});

const redis = section({
  url: redisUrl.optional(),
  url_file: path.optional(),
  tls: section({
    ca_file: path.optional(),
    cert_file: path.optional(),
    key_file: path.optional(),
    server_name: text('a host name', /^[A-Za-z0-9.-]*[A-Za-z-][A-Za-z0-9.-]*$/).optional(),
  }).optional(),
  sentinel: section({
    name: text('the name in `sentinel monitor`', /^[A-Za-z0-9._-]+$/).optional(),
    nodes: list(sentinelNode).optional(),
    username: line.optional(),
    password: secret.optional(),
    password_file: path.optional(),
    tls: yesNo.optional(),
    // Above 15 as for redis.url: redlock selects 0 to 15 only.
    db: whole(0, 15).optional(),
    sentinel_username: line.optional(),
    sentinel_password: secret.optional(),
    sentinel_password_file: path.optional(),
    sentinel_tls: yesNo.optional(),
  }).optional(),
  cluster: section({ nodes: list(clusterNodeUrl).optional() }).optional(),
  // Without braces: keys and channels have our hash tags in braces.
  prefix: text('1 to 64 characters of A-Z a-z 0-9 . _ : -', /^[A-Za-z0-9._:-]{1,64}$/).optional(),
  // 16384 is the number of slots of Redis Cluster.
  partitions: whole(1, 16_384).optional(),
  durability: choice(['memory', 'aof', 'replica']).optional(),
});

const lease = section({
  // Below 100 ms an ordinary pause of the process loses the lease.
  ttl: duration(100).optional(),
  linger: duration(0).optional(),
  max_lingering: whole(1).optional(),
  max_age: duration(0).optional(),
  max_held_history: size().optional(),
  quorum: list(redisUrl).optional(),
});

const worker = section({
  concurrency: whole(1).optional(),
  max_attempts: whole(1).optional(),
  max_hand_overs: whole(1).optional(),
  max_turns_per_lease: whole(1).optional(),
  max_turns_per_principal: whole(0).optional(),
  sweep_interval: duration(1).optional(),
});

const session = section({
  max_inbox: whole(1).optional(),
  max_inbox_bytes: size().optional(),
  max_messages: whole(1).optional(),
  max_events: whole(1).optional(),
  max_log_bytes: size().optional(),
  max_seen: whole(1).optional(),
  max_dead: whole(1).optional(),
  max_sessions_per_principal: whole(0).optional(),
  max_bytes_per_principal: size(Number.MAX_SAFE_INTEGER, 0).optional(),
  resume_window: duration(1, YEARS_10_MS).optional(),
  delta_interval: duration(0).optional(),
  on_busy: choice(modes).optional(),
});

/** The tree of gateway.yaml. Every key is optional: defaults.ts has the default of an absent one. */
export const schema = section({
  gateway: gateway.optional(),
  redis: redis.optional(),
  lease: lease.optional(),
  worker: worker.optional(),
  session: session.optional(),
  session_end: section({
    stream: text('a Redis key without blanks or braces', /^[^\s{}]+$/).optional(),
    max_length: whole(1).optional(),
    groups: list(name).optional(),
  }).optional(),
  metrics: section({ public: yesNo.optional() }).optional(),
  log: section({
    level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
    pretty: leaf('auto, true or false', (value) => {
      if (value === 'auto') return 'auto' as const;
      if (value === true || value === 'true') return true;
      return value === false || value === 'false' ? false : undefined;
    }).optional(),
  }).optional(),
  telemetry: section({ otlp_endpoint: url(['http:', 'https:']).optional() }).optional(),
  // Checked one by one in agents.ts, so that a fault says what that kind of agent takes.
  agents: z.record(z.string(), z.unknown(), { error: 'must be a mapping of names' }).optional(),
});

/** The given values, with durations in milliseconds and sizes in bytes. */
export type Given = z.output<typeof schema>;

/** The keys as JSON Schema (draft 7), for programs that check a file before a node reads it. Values may be anything. */
export function configJsonSchema() {
  const options = { io: 'input', unrepresentable: 'any', target: 'draft-7' } as const;
  const { $schema: _, ...keys } = z.toJSONSchema(schema, options);
  return keys;
}
