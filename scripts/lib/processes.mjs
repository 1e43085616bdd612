import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './paths.mjs';
import { SetupError } from './say.mjs';

/** What the set-up is waiting for now: a signal ends it. */
const running = new Set();

export function endRunning() {
  for (const child of running) child.kill('SIGTERM');
}

/** Runs a command with our streams; answers its status. `timeoutMs` bounds it. */
export function run(command, args, { env = process.env, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: 'inherit', timeout: timeoutMs });
    running.add(child);
    child.once('error', (error) => {
      running.delete(child);
      reject(new SetupError(`${command}: ${error.message}`));
    });
    child.once('exit', (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
}

/** The output of a command that answers soon; undefined when it failed or is not there. */
export function output(command, args, timeoutMs = 5_000) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** The full path of a command, undefined when it is not on the PATH. */
export function which(name) {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (dir === '') continue;
    try {
      accessSync(join(dir, name), constants.X_OK);
      return join(dir, name);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

export function isLiving(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** A process number may have been given to something else since: what runs under it now. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return output('ps', ['-o', 'command=', '-p', String(pid)]) ?? '';
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again every 20 ms; false when it is still not so after `ms`. */
export async function until(isSo, ms) {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}
