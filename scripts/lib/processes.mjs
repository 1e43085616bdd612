import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { root } from './paths.mjs';
import { SetupError } from './say.mjs';

/** Processes that the set-up is waiting for: a signal ends them. */
const running = new Set();

/** Sends SIGTERM to all of them. */
export function endRunning() {
  for (const child of running) child.kill('SIGTERM');
}

/** Runs a command with our streams, at most for `timeoutMs`; returns its status. */
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

/** The output of a short command; undefined when it fails or does not exist. */
export function output(command, args, timeoutMs = 5_000) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** The full path of a command, undefined when it is not on the PATH; a path stands for itself. */
export function which(name) {
  const dirs = name.includes('/') ? [root] : (process.env.PATH ?? '').split(delimiter);
  for (const dir of dirs) {
    if (dir === '') continue;
    try {
      accessSync(resolve(dir, name), constants.X_OK);
      return resolve(dir, name);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Whether a process with this number exists, also of another user. */
export function isLiving(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The command line of a process: its number may belong to another program by now. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return output('ps', ['-o', 'command=', '-p', String(pid)]) ?? '';
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `isSo` every 20 ms until it is true; returns false when it is still false after `ms`. */
export async function until(isSo, ms) {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}
