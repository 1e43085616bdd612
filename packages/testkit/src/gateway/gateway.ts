import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from '@sluice/runtime';
import { startChild } from '../base/children.js';
import { foundFault, stopLater, tellsFaults } from '../base/cleanup.js';
import { isObject } from '../client/frames.js';
import { undocumentedIn } from '../client/log-docs.js';
import { type LogLine, LogLines } from '../client/log-lines.js';
import { keepSecretsOf, leaksIn } from '../client/log-search.js';
import { redisSection } from '../redis/topology.js';
import { withQuorum } from './quorum.js';

const ownBin = fileURLToPath(new URL('../../../../bin/sluice', import.meta.url));
const readyMs = 15_000;
const stopMs = 20_000;

export type GatewayOptions = {
  /** The configuration file, as an object; host and port are 127.0.0.1 and 0 unless given. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly redisUrl?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Limit of open files of the process; default: the limit of the machine. */
  readonly openFiles?: number;
  /** More arguments after `start --config FILE`. */
  readonly args?: readonly string[];
  /** `bin/sluice` of another checkout; default: of this one. */
  readonly bin?: string | undefined;
};

/** How a process ended; `ms` counts from the first signal that was sent to it, else from its start. */
export type Exit = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ms: number;
};

/** A gateway did not become ready; the message has its output. */
export class GatewayFailed extends Error {
  override readonly name = 'GatewayFailed';
  constructor(
    readonly exit: Exit | undefined,
    readonly output: string,
  ) {
    super(`the gateway did not become ready: ${JSON.stringify(exit)}\n${output}`);
  }
}

export type GatewayProcess = {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly wsUrl: string;
  readonly nodeId: string;
  readonly pid: number;
  readonly roles: unknown;
  /** Parsed lines of stdout and stderr; a line that is no JSON becomes `{ msg }`. */
  readonly logs: readonly LogLine[];
  readonly exited: Promise<Exit>;
  waitForLog(matches: (line: LogLine) => boolean, ms?: number): Promise<LogLine>;
  /** False when the process has ended. */
  signal(signal: NodeJS.Signals): boolean;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<Exit>;
  /** SIGTERM, SIGKILL when it takes too long; resolves when it has ended. */
  stop(): Promise<Exit>;
};

/** The URL of a TestSentinel becomes `redis.sentinel`. */
function placed({ url, ...others }: Readonly<Record<string, unknown>>): object {
  const [, nodes, name] = /^sentinel:\/\/([^/]+)\/(.+)$/.exec(String(url)) ?? [];
  if (nodes === undefined) return url === undefined ? others : { url, ...others };
  const given = isObject(others.sentinel) ? others.sentinel : {};
  return { ...others, sentinel: { name, nodes: nodes.split(','), ...given } };
}

/** The configuration of a gateway on a free port of loopback. JSON is YAML. */
function writeConfig(dir: string, { config = {}, redisUrl }: GatewayOptions): string {
  const section = (name: string) => (isObject(config[name]) ? config[name] : {});
  const gateway = { host: '127.0.0.1', port: 0, ...section('gateway') };
  const given = { ...(redisUrl ? { url: redisUrl } : {}), ...section('redis') };
  const redis = placed(redisSection(given));
  const path = join(dir, 'gateway.yaml');
  writeFileSync(path, JSON.stringify({ ...config, gateway, redis }));
  return path;
}

/** The log level that a test has set for its gateway. */
function logLevel({ config = {}, env = {} }: GatewayOptions): string {
  const level = isObject(config.log) ? config.log.level : undefined;
  return env.SLUICE_LOG__LEVEL ?? (typeof level === 'string' ? level : 'info');
}

/** The environment without variables of the developer's shell that a gateway would read. */
function cleanEnv(more: GatewayOptions['env'] = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(SLUICE_|REDIS_URL$|OPENAI_|NODE_OPTIONS$)/.test(name),
  );
  return { ...Object.fromEntries(own), ...more };
}

function spawnGateway(options: GatewayOptions) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-gateway-'));
  const bin = options.bin ?? ownBin;
  const args = [bin, 'start', '--config', writeConfig(dir, options), ...(options.args ?? [])];
  let since = performance.now();
  const [command = '', ...rest] =
    options.openFiles === undefined
      ? [process.execPath, ...args]
      : ['prlimit', `--nofile=${options.openFiles}`, process.execPath, ...args];
  const child = startChild(command, rest, { env: cleanEnv(options.env) });
  keepSecretsOf(options.config, options.redisUrl, options.env);
  const log = new LogLines();
  log.read(child.stdout);
  log.read(child.stderr);
  // `close` and not `exit`: by then the last lines have been read.
  const exited: Promise<Exit> = once(child, 'close').then(([code, signal]) => {
    rmSync(dir, { recursive: true, force: true });
    if (tellsFaults) {
      leaksIn(log.lines, logLevel(options)).forEach(foundFault);
      undocumentedIn(log.lines).forEach(foundFault);
    }
    return { code, signal, ms: performance.now() - since };
  });
  let signalled = false;
  const signal = (name: NodeJS.Signals) => {
    if (!signalled && name in constants.signals && !/^SIG(STOP|CONT|USR)/.test(name)) {
      since = performance.now();
      signalled = true;
    }
    return child.kill(name);
  };
  return { pid: child.pid ?? 0, log, exited, signal };
}

/**
 * Starts the built `bin/sluice start` as a process of its own and waits for its `ready` line; throws
 * `GatewayFailed` when it ends before or takes longer than 15 s.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<GatewayProcess> {
  const config = await withQuorum(options.config);
  const { pid, log, exited, signal } = spawnGateway({ ...options, config });
  const kill = async () => {
    // A stopped process is killed as well.
    signal('SIGKILL');
    return exited;
  };
  const forget = stopLater(kill);
  exited.then(forget);
  const ready = await log
    .waitFor((line) => line.msg === 'ready', { ms: readyMs, ended: exited })
    .catch(async () => {
      const exit = await within(exited, 0);
      await kill();
      throw new GatewayFailed(exit, log.tail());
    });
  const port = Number(ready.port);

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    nodeId: String(ready.node_id),
    pid,
    roles: ready.roles,
    logs: log.lines,
    exited,
    waitForLog: (matches, ms = 5_000) => log.waitFor(matches, { ms, ended: exited }),
    signal,
    kill,
    stop: async () => {
      signal('SIGCONT');
      signal('SIGTERM');
      return (await within(exited, stopMs)) ?? kill();
    },
  };
}
