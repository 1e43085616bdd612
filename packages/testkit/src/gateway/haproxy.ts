import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, within } from '@sluice/runtime';
import { freePort, startChild } from '../base/children.js';
import { stopLater } from '../base/cleanup.js';
import type { FixedBalancer } from './balancer.js';

const configuration = fileURLToPath(
  new URL('../../../../deploy/haproxy/haproxy.cfg', import.meta.url),
);
/** Nodes in the configuration. */
export const HAPROXY_NODES = 3;

const pollMs = 100;
const startMs = 10_000;
const answerMs = 2_000;

type Child = ReturnType<typeof startChild>;

/** What HAProxy says about one server of its configuration. */
type Server = { readonly isUp: boolean; readonly connections: number };

/** Sends one command to the stats socket and returns the whole answer. */
async function ask(socketPath: string, command: string): Promise<string> {
  const socket = connect(socketPath);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.setTimeout(answerMs, () => socket.destroy());
  socket.end(`${command}\n`);
  // Not `once` of node:events, which rejects when nobody listens yet.
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

/** The servers of the backend by name, from the CSV of `show stat`; empty without an answer. */
function readServers(csv: string): Map<string, Server> {
  const [head = '', ...lines] = csv.replace(/^# /, '').trim().split('\n');
  const columns = head.split(',');
  const rows = lines.map((line) => {
    const cells = line.split(',');
    return (name: string) => cells[columns.indexOf(name)] ?? '';
  });
  return new Map(
    rows.flatMap((cell): [string, Server][] => {
      if (cell('pxname') !== 'gateways' || cell('svname') === 'BACKEND') return [];
      return [[cell('svname'), { isUp: cell('status') === 'UP', connections: +cell('scur') }]];
    }),
  );
}

async function launch(env: NodeJS.ProcessEnv, socketPath: string): Promise<Child> {
  const program = process.env.SLUICE_HAPROXY ?? 'haproxy';
  const child = startChild(program, ['-db', '-f', configuration], {
    env: { ...process.env, ...env },
  });
  let output = '';
  const read = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-2_000);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${program} ended: ${output}`)));
  });
  // When it ends later, that is no error.
  ended.catch(() => undefined);
  const answering = (async () => {
    while (child.exitCode === null && !(await ask(socketPath, 'show info')).includes('Uptime')) {
      await sleep(20);
    }
    return true;
  })();
  // A failed launch leaves no process behind: it has ended, or is killed here.
  if (await within(Promise.race([answering, ended]), startMs)) return child;
  child.kill('SIGKILL');
  throw new Error(`${program} not ready after ${startMs} ms: ${output}`);
}

async function launchOnFreePort(env: NodeJS.ProcessEnv, socketPath: string) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      const bind = { SLUICE_HAPROXY_BIND: `127.0.0.1:${port}` };
      return { port, child: await launch({ ...env, ...bind }, socketPath) };
    } catch (error) {
      if (attempt === 5 || !/cannot bind|in use/i.test(String(error))) throw error;
    }
  }
}

/**
 * HAProxy with the configuration of deploy/haproxy, in front of three nodes on fixed ports of loopback.
 * `SLUICE_HAPROXY` names the program, else it is looked for on the PATH.
 */
export async function startHaproxy(ports: readonly number[]): Promise<FixedBalancer> {
  if (ports.length !== HAPROXY_NODES) throw new Error(`HAProxy has ${HAPROXY_NODES} nodes`);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-haproxy-'));
  const socketPath = join(dir, 'admin.sock');
  const nodes = ports.map((port, at) => [`SLUICE_NODE_${at + 1}`, `127.0.0.1:${port}`]);
  const env = { ...Object.fromEntries(nodes), SLUICE_HAPROXY_SOCKET: socketPath };
  const { port, child } = await launchOnFreePort(env, socketPath);

  let servers = new Map<string, Server>();
  const serverOf = (upstream: number) => servers.get(`node-${ports.indexOf(upstream) + 1}`);
  const ended = new AbortController();
  const polling = (async () => {
    while (!ended.signal.aborted) {
      servers = readServers(await ask(socketPath, 'show stat'));
      await sleep(pollMs, ended.signal);
    }
  })();
  const stop = async () => {
    forget();
    ended.abort();
    await polling;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  const forget = stopLater(stop);

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    get healthy() {
      return ports.filter((upstream) => serverOf(upstream)?.isUp);
    },
    connections: (upstream) => serverOf(upstream)?.connections ?? 0,
    stop,
  };
}
