import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

const packages = { 'apt-get': ['gcc'], dnf: ['gcc'], apk: ['build-base'] };

const installedCompiler = () => ['cc', 'gcc', 'clang'].map(which).find(Boolean);

/** A C compiler, for tests that move the clock of Redis: an installed one, else one installed now, else undefined. */
export async function ensureCompiler(why) {
  const found = installedCompiler();
  if (found) return found;
  return (await installPackage(packages, why)) ? installedCompiler() : undefined;
}
