import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { stateDir } from './paths.mjs';
import { isLiving, sleep, until } from './processes.mjs';
import { ask } from './resp.mjs';
import { SetupError, say } from './say.mjs';

/** Systems allow 104 to 108 bytes for the path of a socket. */
const maxPathBytes = 100;
const loadMs = 60_000;
const stopMs = 30_000;

const pidFile = join(stateDir, 'redis.pid');
const logFile = join(stateDir, 'redis.log');
const link = join(stateDir, 'redis.sock');

/** If the path is too long, the socket is in the temporary directory, and its own place has a link to it. */
function socketPath() {
  if (Buffer.byteLength(link) <= maxPathBytes) return link;
  const { uid } = userInfo();
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `sluice-${uid}-${name}`);
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (fs.statSync(dir).uid !== uid) throw new SetupError(`${dir} belongs to somebody else`);
  const short = join(dir, 'redis.sock');
  fs.rmSync(link, { force: true });
  fs.symlinkSync(short, link);
  return short;
}

const path = () => ({ path: socketPath() });

/** Returns 'absent' when nobody listens, else the reply to PING: `+PONG`, `-LOADING ...`. */
async function ping() {
  try {
    return await ask(path(), ['PING']);
  } catch (error) {
    return ['ENOENT', 'ECONNREFUSED'].includes(error.code) ? 'absent' : error.message;
  }
}

/** Returns whether the private Redis answers; waits while it loads its data. */
async function isAnswering() {
  let said = false;
  let reply = await ping();
  for (const deadline = performance.now() + loadMs; reply !== '+PONG'; reply = await ping()) {
    if (reply === 'absent') return false;
    if (performance.now() > deadline) {
      throw new SetupError(`the private Redis in ${stateDir} does not answer (${reply})`);
    }
    if (!said) say(`waiting for the private Redis in .sluice/: ${reply}`);
    said = true;
    await sleep(50);
  }
  return true;
}

const serverArguments = (socket) => [
  ...['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700'],
  ...['--dir', stateDir, '--pidfile', pidFile, '--daemonize', 'no', '--supervised', 'no'],
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
  ...['--maxmemory-policy', 'noeviction'],
];

/** Detached: Ctrl-C in a terminal goes to the whole group, and Redis must outlive the gateway. */
async function launch(server) {
  const log = fs.openSync(logFile, 'a');
  const socket = socketPath();
  const child = spawn(server, serverArguments(socket), {
    cwd: stateDir,
    detached: true,
    stdio: ['ignore', log, log],
  });
  fs.closeSync(log);
  let ended = false;
  child.once('error', () => {
    ended = true;
  });
  child.once('exit', () => {
    ended = true;
  });
  child.unref();
  const up = await until(async () => ended || (await ping()) !== 'absent', 10_000);
  if (!up || ended || !(await isAnswering())) {
    const end = fs.readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n  ');
    throw new SetupError(`${server} did not start; the end of ${logFile}:\n  ${end}`);
  }
}

/** Two `npm start` at once must not start two servers on one data directory. */
async function withLock(act) {
  const lock = join(stateDir, 'starting.lock');
  const take = () => {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      if (!isLiving(readNumber(lock))) fs.rmSync(lock, { force: true });
      return false;
    }
  };
  if (!(await until(take, loadMs))) throw new SetupError(`${lock} is held by another start`);
  try {
    return await act();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

function readNumber(file) {
  try {
    return Number(fs.readFileSync(file, 'utf8').trim());
  } catch {
    return Number.NaN;
  }
}

/** Writes the process number of the private Redis, with which others find out whether it lives. */
async function writePid() {
  const pid = /^process_id:(\d+)/m.exec(await ask(path(), ['INFO', 'server']))?.[1];
  if (pid && readNumber(pidFile) !== Number(pid)) fs.writeFileSync(pidFile, `${pid}\n`);
}

/** Whether a private Redis lives in `.sluice/`. */
export async function findPrivateRedis() {
  return fs.existsSync(stateDir) && (await isAnswering());
}

/**
 * The private Redis of `.sluice/`: the running one, else a new one of the program from `findServer()`. Returns
 * its URL, and in `isFound` whether the gateway finds it without; undefined when there is no program to start.
 */
export async function ensurePrivateRedis(findServer) {
  fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  if (!(await findPrivateRedis())) {
    const server = await findServer();
    if (!server) return undefined;
    await withLock(async () => {
      if (!(await findPrivateRedis())) await launch(server);
    });
  }
  await writePid();
  const socket = socketPath();
  return { url: `unix://${socket}`, isFound: socket === link };
}

/** Saves its data and ends it; resolves when it is gone. */
export async function stopPrivateRedis() {
  const pid = readNumber(pidFile);
  await ask(path(), ['SHUTDOWN', 'SAVE'], stopMs).catch(() => undefined);
  if (!(await until(() => !isLiving(pid), stopMs))) {
    say(`the private Redis (process ${pid}) has not ended after ${stopMs / 1_000} s`);
  }
}
