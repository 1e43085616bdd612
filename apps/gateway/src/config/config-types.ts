import type { AgentConfig } from '@sluice/agents';
import type { Durability, Mode } from '@sluice/protocol';
import type { TlsFiles } from '@sluice/store';
import type { Secret } from './secret.js';

export type Role = 'edge' | 'worker';
export type Scope = 'read' | 'write' | 'operate' | 'admin';
export type StaticToken = {
  readonly secret: Secret;
  readonly principal: string;
  readonly scopes: readonly Scope[];
};

/** Signed tokens (JWT): the keys that they may be signed with, and the names of their claims. */
export type JwtAuth = {
  readonly keys: Secret | { readonly kind: 'jwks'; readonly url: string };
  /** Required values of `iss` and `aud`; null: not checked. */
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly principalClaim: string;
  readonly scopesClaim: string;
};

export type Auth = { readonly tokens: readonly StaticToken[]; readonly jwt: JwtAuth | null };

/** The whole configuration, validated and frozen: durations in milliseconds, sizes in bytes. */
export type CredentialsConfig = {
  readonly username: string | null;
  readonly password: string | null;
  /** Absolute path; each new connection reads the password there. */
  readonly passwordFile: string | null;
  readonly tls: boolean;
};

/** Sentinels, and who we are at the primary (`data`) and at them. */
export type SentinelConfig = {
  readonly name: string;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly db: number;
  readonly data: CredentialsConfig;
  readonly sentinels: CredentialsConfig;
};

export type Config = {
  readonly gateway: {
    readonly host: string;
    readonly port: number;
    /** null: the paths of operators are on `port`. */
    readonly adminPort: number | null;
    readonly nodeId: string;
    readonly roles: readonly Role[];
    readonly drainTimeoutMs: number;
    readonly closeSpreadMs: number;
    /** 0: connections may stay as long as they like. */
    readonly maxConnectionAgeMs: number;
    readonly maxConnections: number;
    /** 0: no limit. */
    readonly maxConnectionsPerPrincipal: number;
    /** 0: a connection may stay without a session. */
    readonly helloTimeoutMs: number;
    readonly maxPayloadBytes: number;
    readonly maxReplyBytes: number;
    readonly maxBufferedBytes: number;
    readonly maxQueuedFrames: number;
    /** For all connections of the node together. */
    readonly maxUnsentBytes: number;
    /** 0: no limit. */
    readonly maxUnsentPerPrincipalBytes: number;
    readonly heartbeatIntervalMs: number;
    /** 0: no limit. */
    readonly perTurnTimeoutMs: number;
    readonly allowedOrigins: readonly string[];
    /** Addresses or ranges, such as 10.0.0.0/8. */
    readonly trustedProxies: readonly string[];
    /** null: everything is allowed as principal `local` (loopback only). */
    readonly auth: Auth | null;
    /** 0: no limit. */
    readonly rateLimit: {
      readonly upgradesPerMinute: number;
      readonly unauthenticatedPerMinute: number;
      readonly messagesPerSecond: number;
      readonly burst: number;
      readonly sessionsPerMinute: number;
      /** Frames of any kind, of one connection. */
      readonly framesPerSecond: number;
      /** The same, of all connections of one principal on this node. */
      readonly principalFramesPerSecond: number;
      readonly requestsPerSecond: number;
      readonly requestBurst: number;
    };
    readonly keepAlive: boolean;
    readonly console: boolean;
  };
  readonly redis: {
    /** On a cluster: the first of `clusterNodes`. */
    readonly url: string;
    /** `redis.cluster.nodes`; null: one Redis. */
    readonly clusterNodes: readonly string[] | null;
    /** Absolute path; each new connection reads its user and password there. */
    readonly urlFile: string | null;
    /** null: the Redis is that of `url`; else `url` is empty. */
    readonly sentinel: SentinelConfig | null;
    /** Absolute paths; each new connection reads them. null: TLS, if the URL asks for it, with the system's CAs. */
    readonly tls: TlsFiles | null;
    readonly prefix: string;
    readonly partitions: number;
    /** The level that an acknowledgement waits for. */
    readonly durability: Durability;
  };
  readonly lease: {
    readonly ttlMs: number;
    readonly lingerMs: number;
    readonly maxLingering: number;
    readonly maxAgeMs: number;
    readonly maxHeldHistoryBytes: number;
    /** URLs of independent masters for Redlock; none: the data Redis has the Redlocks. */
    readonly quorum: readonly string[];
  };
  readonly worker: {
    readonly concurrency: number;
    readonly maxAttempts: number;
    readonly maxHandOvers: number;
    readonly maxTurnsPerLease: number;
    /** 0: no limit. */
    readonly maxTurnsPerPrincipal: number;
    readonly sweepIntervalMs: number;
  };
  readonly session: {
    readonly maxInbox: number;
    readonly maxInboxBytes: number;
    readonly maxMessages: number;
    readonly maxEvents: number;
    readonly maxLogBytes: number;
    readonly maxSeen: number;
    readonly maxDead: number;
    /** 0: no limit. */
    readonly maxSessionsPerPrincipal: number;
    /** 0: no limit. */
    readonly maxBytesPerPrincipal: number;
    readonly resumeWindowMs: number;
    readonly deltaIntervalMs: number;
    readonly onBusy: Mode;
  };
  readonly sessionEnd: {
    readonly stream: string;
    readonly maxLength: number;
    readonly groups: readonly string[];
  };
  readonly metrics: { readonly public: boolean };
  /** null: nothing is traced. */
  readonly telemetry: { readonly otlpEndpoint: string | null };
  readonly log: { readonly level: string; readonly pretty: boolean };
  readonly agents: Readonly<Record<string, AgentConfig>>;
  /** One line each: no authentication, turns without a limit, ... */
  readonly warnings: readonly string[];
};
