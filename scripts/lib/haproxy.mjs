import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

const packages = { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], brew: ['haproxy'] };

/** Debian installs it in a directory that only root has on the PATH. */
const installedHaproxy = () => which('haproxy') ?? which('../sbin/haproxy');

/** HAProxy: an installed one, else one installed now, else undefined. */
export async function ensureHaproxy(why) {
  const found = installedHaproxy();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedHaproxy() : undefined;
}
