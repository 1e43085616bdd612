/**
 * `npm run model`: checks the formal model of docs/internals/model with spin. Each property must hold, and each
 * mutation (a check of the scripts left out) must be found. Prints one line each; status 1 on any surprise.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mutations, properties } from '../docs/internals/model/checks.mjs';
import { installPackage } from './lib/install-package.mjs';
import { inRoot } from './lib/paths.mjs';
import { which } from './lib/processes.mjs';
import { SetupError, say } from './lib/say.mjs';

/** The largest check needs 7 s and 400 MB alone on a core. */
const checkMs = 120_000;
const memoryMb = 1_024;
const depth = 100_000;
const parallel = 2;

const modes = {
  states: { compile: ['-DSAFETY', '-DNOCLAIM'], run: [] },
  // NFAIR: enough bits for the fairness counters of up to 10 processes.
  runs: { compile: ['-DNFAIR=3'], run: ['-a', '-f', '-N', 'served'] },
};

const execute = promisify(execFile);

async function ensureTools() {
  for (const name of ['spin', 'gcc']) {
    if (which(name)) continue;
    await installPackage({ 'apt-get': [name] }, `The model needs ${name}.`);
    if (which(name)) continue;
    throw new SetupError(
      `${name} not found: apt-get install spin gcc, or see https://spinroot.com`,
    );
  }
}

/** Generates, compiles and runs one verifier; returns its output. */
async function verify({ define, mode = 'states', model = 'session.pml', isLarge = false }) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-model-'));
  const options = { cwd: dir, timeout: checkMs, maxBuffer: 1 << 24 };
  const defines = Object.entries(define).map(([name, value]) =>
    value === '' ? `-D${name}` : `-D${name}=${value}`,
  );
  try {
    await execute('spin', ['-a', ...defines, inRoot('docs', 'internals', 'model', model)], options);
    const { compile, run } = modes[mode];
    // `-O0` mostly: compiling takes longer than most of the checks.
    const flags = [isLarge ? '-O1' : '-O0', '-w', `-DMEMLIM=${memoryMb}`, ...compile];
    await execute('gcc', [...flags, '-o', 'pan', 'pan.c'], options);
    return (await execute(join(dir, 'pan'), [`-m${depth}`, ...run], options)).stdout;
  } catch (error) {
    return `${error.message}\n${error.stdout ?? ''}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Parses the output of a verifier: the number of states, and the fault if there is one. */
function read(text) {
  const states = Number(/(\d+(?:\.\d+e\+\d+)?) states, stored/.exec(text)?.[1] ?? Number.NaN);
  const fault = /^pan:\d+: (.*?)(?: \(at depth|$)/m.exec(text)?.[1];
  const isWhole =
    /errors: \d/.test(text) && !/max search depth too small|Search not completed/.test(text);
  if (fault === undefined && (!isWhole || !/errors: 0$/m.test(text))) {
    return { states, fault: `no answer: ${text.trim().slice(0, 500)}` };
  }
  return { states, fault };
}

async function check(item) {
  const started = performance.now();
  const { states, fault } = read(await verify(item));
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  const { breaks } = item;
  const isGood = breaks === undefined ? fault === undefined : (fault?.includes(breaks) ?? false);
  const found = breaks === undefined ? 'holds' : 'found';
  const verdict = isGood ? found : breaks === undefined ? 'FAILS' : 'MISSED';
  const figures = `${String(states).padStart(8)} states ${seconds.padStart(5)} s`;
  const why = fault === undefined ? '' : `: ${fault}`;
  process.stdout.write(`${verdict.padEnd(6)} ${figures}  ${item.title}${why}\n`);
  return isGood;
}

async function checkAll(items) {
  const waiting = [...items];
  let surprises = 0;
  const next = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      if (!(await check(item))) surprises++;
    }
  };
  await Promise.all(Array.from({ length: parallel }, next));
  return surprises;
}

try {
  const started = performance.now();
  await ensureTools();
  const surprises = (await checkAll(properties)) + (await checkAll(mutations));
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  const counts = `${properties.length} properties, ${mutations.length} mutations`;
  process.stdout.write(`${counts}, ${surprises} surprises, ${seconds} s\n`);
  process.exitCode = surprises > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run model: ${error.message}`);
  process.exitCode = error.status;
}
