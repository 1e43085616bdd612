import { existsSync } from 'node:fs';
import { installPackage } from './install-package.mjs';
import { which } from './processes.mjs';

/** What tests/deploy/chart-render is built with: 200 MB, so only where all suites run. */
const packages = {
  'apt-get': [
    ['golang-go', 'golang-github-masterminds-sprig-dev', 'golang-github-ghodss-yaml-dev'],
  ],
};
const library = '/usr/share/gocode/src/github.com/Masterminds/sprig';

/** Whether the Helm chart can be rendered: by helm, or by Go with Sprig, which are installed now with CI=true. */
export async function ensureChartRenderer() {
  const isThere = () => Boolean(which('helm') || (which('go') && existsSync(library)));
  if (isThere() || process.env.CI !== 'true') return isThere();
  return (await installPackage(packages)) && isThere();
}
