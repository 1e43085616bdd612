import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

const packages = { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], brew: ['haproxy'] };

/** Debian installs it where only root's PATH looks. */
const installedHaproxy = () => which('haproxy') ?? which('../sbin/haproxy');

/** The one found, else the one that could be installed, else undefined. */
export async function ensureHaproxy(why) {
  const found = installedHaproxy();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedHaproxy() : undefined;
}
