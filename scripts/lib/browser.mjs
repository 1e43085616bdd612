import { installPackage } from './install-package.mjs';
import { output, which } from './processes.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const packages = { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'] };

/** A Chromium of this machine, as a path; some systems have a placeholder that cannot run. */
function installedBrowser() {
  const paths = names.map(which).filter(Boolean);
  return paths.find((path) => /chrom/i.test(output(path, ['--version'], 10_000) ?? ''));
}

/** A Chromium for the tests of the chat page: an installed one, else one installed now, else undefined. */
export async function ensureBrowser() {
  const found = installedBrowser();
  if (found) return found;
  return (await installPackage(packages)) ? installedBrowser() : undefined;
}
