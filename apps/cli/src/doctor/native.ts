import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from './report.js';

const listed = fileURLToPath(
  new URL('../../../../supply-chain/uwebsockets.sha256', import.meta.url),
);

/** The library of uWebSockets.js that this process has loaded; undefined: none, or the system does not say. */
function loadedLibrary(): string | undefined {
  const { report } = process;
  // Otherwise the report looks up the host name of every address that this process talks to.
  Object.assign(report, { excludeNetwork: true });
  const made: { sharedObjects?: string[] } = report.getReport();
  return made.sharedObjects?.find((file) => /^uws_[^/]*\.node$/.test(basename(file)));
}

/** Whether a native library has the hash that the list holds for its name. */
export function judgeLibrary(file: string, list: string): Finding {
  const check = 'native';
  const name = basename(file);
  const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (list.split('\n').includes(`${sum}  ${name}`)) {
    return { status: 'ok', check, what: `native library ${name}, sha256 ${sum.slice(0, 16)}...` };
  }
  return {
    status: 'FAIL',
    check,
    what: `native library ${file}: sha256 ${sum} is not in supply-chain/uwebsockets.sha256`,
    remedy:
      'npm ci installs the listed one; if it was changed on purpose, see docs/internals/supply-chain.md',
  };
}

export function checkNativeLibrary(): Finding[] {
  const file = loadedLibrary();
  if (file) return [judgeLibrary(file, readFileSync(listed, 'utf8'))];
  const what = 'native library of uWebSockets.js: this system does not tell which one is loaded';
  return [{ status: 'warn', check: 'native', what }];
}
