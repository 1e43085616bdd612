/** Prometheus and its promtool, as `npm test` has found or installed them. */
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

function findIn(dirs: readonly string[], name: string): string | undefined {
  return dirs
    .map((dir) => join(dir, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function findPrograms() {
  const named = process.env.SLUICE_PROMETHEUS;
  const dirs = named ? [dirname(named)] : (process.env.PATH ?? '').split(delimiter);
  return { prometheus: named ?? findIn(dirs, 'prometheus'), promtool: findIn(dirs, 'promtool') };
}

/** Undefined if they are not on this machine: tests that need them are skipped, and one line says so. */
export const programs = findPrograms();
if (!programs.prometheus || !programs.promtool) {
  process.stderr.write(
    'no Prometheus with promtool was found: rules and scraping are not tested\n',
  );
}
