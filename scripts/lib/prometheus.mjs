import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

/** Packages that have promtool too. */
const packages = {
  'apt-get': ['prometheus'],
  dnf: ['golang-github-prometheus', 'prometheus'],
  apk: ['prometheus'],
  brew: ['prometheus'],
};

const installedPrometheus = () => (which('promtool') ? which('prometheus') : undefined);

/** Prometheus: an installed one, else one installed now, else undefined. */
export async function ensurePrometheus(why) {
  const found = installedPrometheus();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedPrometheus() : undefined;
}
