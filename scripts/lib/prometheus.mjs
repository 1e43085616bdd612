import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

/** With promtool beside it. */
const packages = {
  'apt-get': ['prometheus'],
  dnf: ['golang-github-prometheus', 'prometheus'],
  apk: ['prometheus'],
  brew: ['prometheus'],
};

const installedPrometheus = () => (which('promtool') ? which('prometheus') : undefined);

/** The one found, else the one that could be installed, else undefined. */
export async function ensurePrometheus(why) {
  const found = installedPrometheus();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedPrometheus() : undefined;
}
