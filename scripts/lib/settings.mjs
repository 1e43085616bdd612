import { readFileSync } from 'node:fs';
import { inRoot } from './paths.mjs';

/** `--key value` or `--key=value`; the last one wins. */
function flagOf(args, key) {
  let value;
  args.forEach((word, at) => {
    if (word === `--${key}`) value = args[at + 1];
    else if (word.startsWith(`--${key}=`)) value = word.slice(key.length + 3);
  });
  return value;
}

/** The configuration file; {} if it cannot be read, since the gateway reports its faults. */
async function readFileOf(args) {
  const file = flagOf(args, 'config');
  if (file === undefined) return {};
  try {
    const { parse } = await import('yaml');
    return parse(readFileSync(inRoot(file), 'utf8')) ?? {};
  } catch {
    return {};
  }
}

/**
 * What the set-up must know of the gateway's configuration: where the gateway will answer, and whether a Redis
 * is configured. Looked up in the gateway's order: flag, environment, file, default.
 */
export async function readSettings(args, env) {
  const file = await readFileOf(args);
  const given = (section, key) =>
    flagOf(args, `${section}.${key}`) ??
    env[`SLUICE_${section}__${key}`.toUpperCase()] ??
    file?.[section]?.[key];
  const host = String(given('gateway', 'host') ?? '127.0.0.1');
  const port = Number(given('gateway', 'port') ?? 8765);
  const { sentinel, cluster } = file?.redis ?? {};
  return {
    hasRedis: Boolean(given('redis', 'url') ?? sentinel ?? cluster ?? env.REDIS_URL),
    // With port 0 the gateway chooses the port; its "ready" line names it.
    url: port > 0 ? `http://${reachable(host)}:${port}` : undefined,
  };
}

function reachable(host) {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
