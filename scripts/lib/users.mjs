import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateDir } from './paths.mjs';
import { commandLine, isLiving, until } from './processes.mjs';
import { say } from './say.mjs';

/** One file per `npm start` of this directory: named by its process number, with that of its gateway in it. */
const usersDir = join(stateDir, 'users');
const ownFile = join(usersDir, String(process.pid));

/** Longest reasonable drain. */
const drainMs = 60_000;

const runs = (pid, word) => isLiving(pid) && commandLine(pid).includes(word);

function entries() {
  mkdirSync(usersDir, { recursive: true });
  return readdirSync(usersDir)
    .map(Number)
    .filter((script) => script !== process.pid)
    .map((script) => ({ script, file: join(usersDir, String(script)) }));
}

/** Registers this `npm start` as a user of the private Redis; its last user stops it. */
export function register(gatewayPid = 0) {
  mkdirSync(usersDir, { recursive: true });
  writeFileSync(ownFile, String(gatewayPid));
}

/** Ends that; returns whether no other user is left. */
export function unregister() {
  rmSync(ownFile, { force: true });
  return entries().every(({ script }) => !runs(script, 'start.mjs'));
}

/** Drains gateways whose `npm start` was killed: they still have the port, and their sessions go on here. */
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
