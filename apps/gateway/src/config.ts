import { exitStatus, StartError } from '@sluice/runtime';
import { accessOf } from './config/access/access.js';
import { tlsFaults } from './config/access/redis-tls.js';
import { readSecretFiles } from './config/access/secret-files.js';
import { agentFrom, agentsOf, defaultAgents } from './config/agents.js';
import { check } from './config/check.js';
import type { Auth, Config } from './config/config-types.js';
import * as defaults from './config/defaults.js';
import { sentinelOf } from './config/redis/sentinel.js';
import { findRedis } from './config/redis-url.js';
import { relationFaults } from './config/relations.js';
import type { Given } from './config/schema.js';
import { baseDirOf, gather, type Inputs } from './config/sources.js';
import { isTree, type Tree, valueAt } from './config/tree.js';

export { keyPaths, nearestKey } from './config/known-keys.js';
export { schema as configSchema } from './config/schema.js';
export { baseDirOf } from './config/sources.js';

export type ConfigInputs = Inputs & {
  /** `--agent`: the path of a module or a URL; becomes the first agent, named `agent`. */
  readonly agent?: string | undefined;
};

/** The configuration cannot work. The message has every fault, one per line. */
export class ConfigError extends StartError {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'), exitStatus.config);
  }
}

/**
 * Reads the whole configuration: a flag wins over the environment, that over the file, that over the default. The
 * result is checked and frozen. Throws ConfigError with all faults at once.
 */
export function loadConfig(inputs: ConfigInputs): Config {
  const faults: string[] = [];
  const around = { env: inputs.env, baseDir: baseDirOf(inputs), faults };
  const gathered = gather(inputs, around);
  if (!gathered.isRead) throw new ConfigError(faults);
  const tree = readSecretFiles(gathered.tree, around);
  const given = check({ ...gathered, tree }, faults);
  faults.push(...relationFaults(given));
  if (given.gateway?.roles?.length === 0) {
    faults.push('gateway.roles: is empty; give edge, worker or both');
  }
  const gateway = defaults.gatewayOf(given);
  const access = accessOf({ given, tree, host: gateway.host, around });
  const sentinel = sentinelOf(given, tree, around);
  const url = redisUrlOf({ given, tree, inputs }, faults);
  const redis = defaults.redisOf(given, { url, sentinel });
  faults.push(...tlsFaults(given, url));
  const agents = agentsOf(agentEntries(given, inputs, faults), faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return freeze({
    gateway: { ...gateway, auth: access.auth },
    redis,
    lease: defaults.leaseOf(given),
    worker: defaults.workerOf(given),
    session: defaults.sessionOf(given),
    sessionEnd: defaults.sessionEndOf(given),
    metrics: { public: given.metrics?.public ?? false },
    telemetry: defaults.telemetryOf(given),
    log: defaults.logOf(given),
    agents,
    warnings: [...access.warnings, ...warningsOf(given)],
  });
}

/** Reads only `gateway.auth`, for commands that need nothing else. Throws ConfigError. */
export function loadAuth(inputs: Inputs): Auth | null {
  const faults: string[] = [];
  const around = { env: inputs.env, baseDir: baseDirOf(inputs), faults };
  const gathered = gather(inputs, around);
  if (!gathered.isRead) throw new ConfigError(faults);
  const given = check(gathered, faults);
  const { host } = defaults.gatewayOf(given);
  const { auth } = accessOf({ given, tree: gathered.tree, host, around });
  if (faults.length > 0) throw new ConfigError(faults);
  return freeze(auth);
}

type Checked = { readonly given: Given; readonly tree: Tree; readonly inputs: Inputs };

/** Looks elsewhere only when `redis.url` is absent: a faulty one has its fault already. */
function redisUrlOf({ given, tree, inputs }: Checked, faults: string[]): string {
  const { sentinel, cluster } = isTree(tree.redis) ? tree.redis : {};
  if (valueAt(tree, ['redis', 'url']) !== undefined || sentinel || cluster) {
    return given.redis?.url ?? '';
  }
  const found = findRedis(inputs.env, inputs.cwd);
  if ('url' in found) return found.url;
  faults.push(found.fault);
  return '';
}

function agentEntries(given: Given, inputs: ConfigInputs, faults: string[]): Tree {
  if (inputs.agent === undefined) return given.agents ?? defaultAgents(inputs.env);
  const found = agentFrom(inputs.agent, inputs.cwd);
  if ('fault' in found) {
    faults.push(found.fault);
    return given.agents ?? defaultAgents(inputs.env);
  }
  const { agent: _replaced, ...others } = given.agents ?? {};
  return { agent: found.entry, ...others };
}

function warningsOf({ gateway = {}, session = {} }: Given): string[] {
  const warnings: string[] = [];
  if (gateway.per_turn_timeout === 0) {
    warnings.push('gateway.per_turn_timeout is 0: a hung agent holds its session for ever');
  }
  const floor = defaults.sessionOf({ session }).maxSeen;
  if (session.max_seen !== undefined && session.max_seen < floor) {
    warnings.push(`session.max_seen is raised to ${floor}, which is 4 x session.max_inbox`);
  }
  return warnings;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}
