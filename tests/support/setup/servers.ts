import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type ServerName = 'redis-6.0' | 'redis-7.0' | 'redis-8.0' | 'valkey-8.1';

/** A server of another release that deploy/engine/servers.sh has put here; undefined: it was not called. */
export function fetchedServer(name: ServerName): string | undefined {
  const file = `../../../.cache/servers/${name}/bin/${name.replace(/-.*/, '')}-server`;
  const path = fileURLToPath(new URL(file, import.meta.url));
  return existsSync(path) ? path : undefined;
}
