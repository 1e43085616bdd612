import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

const packages = { 'apt-get': ['gcc'], dnf: ['gcc'], apk: ['build-base'] };

const installedCompiler = () => ['cc', 'gcc', 'clang'].map(which).find(Boolean);

/** For the Redis whose clock the tests move: the one found, else the one that could be installed. */
export async function ensureCompiler(why) {
  const found = installedCompiler();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedCompiler() : undefined;
}
