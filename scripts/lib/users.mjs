import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateDir } from './paths.mjs';
import { commandLine, isLiving, until } from './processes.mjs';
import { say } from './say.mjs';

/** One file for each `npm start` of this directory: its process number, and in it the gateway's. */
const usersDir = join(stateDir, 'users');
const ownFile = join(usersDir, String(process.pid));

/** As long as a drain may reasonably take. */
const drainMs = 60_000;

const runs = (pid, word) => isLiving(pid) && commandLine(pid).includes(word);

function entries() {
  mkdirSync(usersDir, { recursive: true });
  return readdirSync(usersDir)
    .map(Number)
    .filter((script) => script !== process.pid)
    .map((script) => ({ script, file: join(usersDir, String(script)) }));
}

/** Takes part in the private Redis: it is stopped by the last one that does. */
export function register(gatewayPid = 0) {
  mkdirSync(usersDir, { recursive: true });
  writeFileSync(ownFile, String(gatewayPid));
}

/** Gives it up; answers whether nobody else is left. */
export function unregister() {
  rmSync(ownFile, { force: true });
  return entries().every(({ script }) => !runs(script, 'start.mjs'));
}

/** A gateway whose `npm start` was killed still has the port: it is drained, its sessions go on here. */
export async function stopOrphans() {
  for (const { script, file } of entries()) {
    if (runs(script, 'start.mjs')) continue;
    const gateway = Number(readFileSync(file, 'utf8'));
    if (runs(gateway, 'sluice')) {
      say(`draining the gateway that a killed npm start left behind (process ${gateway})`);
      process.kill(gateway, 'SIGTERM');
      if (!(await until(() => !isLiving(gateway), drainMs))) continue;
    }
    rmSync(file, { force: true });
  }
}
