import { installPackage } from './install-package.mjs';
import { output, which } from './processes.mjs';
import { say } from './say.mjs';

/** Older versions lack EVALSHA_RO. */
const minMajor = 7;

const packages = {
  'apt-get': ['redis-server'],
  dnf: ['redis', 'valkey'],
  apk: ['redis', 'valkey'],
  brew: ['redis'],
  pacman: ['valkey'],
};

/** `Redis server v=7.0.15 ...`, `Valkey server v=8.0.1 ...` */
const majorOf = (server) =>
  Number(/ v=(\d+)\./.exec(output(server, ['--version']) ?? '')?.[1] ?? Number.NaN);

/** Path of a redis-server or valkey-server that is new enough: the one of SLUICE_REDIS_SERVER, else of this machine. */
export function installedServer() {
  const { SLUICE_REDIS_SERVER: named } = process.env;
  for (const name of named ? [named] : ['redis-server', 'valkey-server']) {
    const path = which(name);
    if (!path && named) say(`SLUICE_REDIS_SERVER: ${named} is no program of this machine`);
    if (!path) continue;
    const major = majorOf(path);
    if (major >= minMajor) return path;
    say(
      `${path} is ${major ? `version ${major}` : 'not usable'}; ${minMajor}.0 or newer is needed`,
    );
  }
  return undefined;
}

/** The path of an installed server, else of one installed now, else undefined. */
export async function ensureServer() {
  const found = installedServer();
  if (found) return found;
  return (await installPackage(packages, 'Sluice needs a Redis.')) ? installedServer() : undefined;
}

export const waysToRedis = `no Redis was found, and none could be installed. Any of these helps:
  - install one, 7.0 or newer: apt-get install redis-server, dnf install redis, apk add redis,
    brew install redis, pacman -S valkey
  - name a running one: REDIS_URL=redis://127.0.0.1:6379 npm start
  - start a container engine (Docker or Podman), then call this again`;
