/** A field of `INFO`; '' when it is not there. */
export const infoField = (info: string, name: string) =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';

/**
 * What a server calls itself. Valkey and its kin report `redis_version:7.2.4` for clients that look for Redis, and
 * their own name and version beside it.
 */
export type ServerName = { readonly name: string; readonly version: string };

/** Undefined: its INFO has no version, as some managed services leave it out. */
export function serverName(info: string): ServerName | undefined {
  const kind = infoField(info, 'server_name');
  const own = kind && infoField(info, `${kind}_version`);
  if (own) return { name: `${kind[0]?.toUpperCase()}${kind.slice(1)}`, version: own };
  const version = infoField(info, 'redis_version');
  return version ? { name: 'Redis', version } : undefined;
}

/** `Valkey 8.1.1`, `Redis 7.0.15`, `Redis of an unknown version`. */
export function serverTitle(info: string): string {
  const { name, version } = serverName(info) ?? { name: 'Redis', version: 'of an unknown version' };
  return `${name} ${version}`;
}

/** Whether `version` is `major.minor` or newer. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

/** `standalone`, `cluster` or `sentinel`: Valkey has its own field for it. */
export const serverMode = (info: string) =>
  infoField(info, 'redis_mode') || infoField(info, 'server_mode');
