import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRoot } from './paths.mjs';
import { run } from './processes.mjs';
import { say } from './say.mjs';
import { countResults } from './test-results.mjs';

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    say('jest wrote no results');
    return undefined;
  }
}

/** Runs jest with these arguments and returns what it counted. It is ended after `timeoutMs`, which is a failure. */
export async function runJest(args, { env = {}, timeoutMs }) {
  const file = join(tmpdir(), `sluice-test-${process.pid}.json`);
  const program = inRoot('node_modules', 'jest', 'bin', 'jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  const options = ['--json', `--outputFile=${file}`, ...args];
  const status = await run(process.execPath, [...flags, program, ...options], {
    timeoutMs,
    env: { ...process.env, ...env },
  });
  const results = readResults(file);
  rmSync(file, { force: true });
  return countResults(results, status);
}
