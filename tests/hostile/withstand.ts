import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  type GatewayProcess,
  startChild,
  startGateway,
  startRedis,
  stopLater,
  type TestRedis,
} from '@sluice/testkit';
import { percentile, startConversations } from './bystander.js';
import { memoryOf, processorOf, watch } from './watch.js';

/** `npm run test:hostile` attacks for 60 s each, `CI=true npm test` for 5 s. */
export const attackSeconds = Number(process.env.SLUICE_HOSTILE_SECONDS ?? 3);
/** Time limit of a test with one attack. */
export const attackLimitMs = (attackSeconds + 90) * 1_000;
/** Most memory above idle, in MiB: at any time, and 30 s after the attack. */
const MEMORY_MAX = 400;
const MEMORY_BACK = 150;
/** After these turns the attack has no more effect. */
const SETTLED_TURNS = 6;
const BACK_WITHIN_MS = 30_000;
const TURN_P99_MS = attackSeconds < 30 ? 1_000 : 100; // few turns, on a machine that tests share
/** Largest addition to that for the noise of the machine, which is measured without an attack. */
const NOISE_MS_MAX = attackSeconds < 30 ? 1_000 : 20;
const QUIET_MS = attackSeconds < 30 ? 1_500 : 3_000;
/** Most lines at `warn` and above that an attack of any length may cause. */
const WARNINGS_MAX = 30;
const WARNING_LEVELS = ['warn', 'error', 'fatal'];

export const tokens = {
  bystander: 'bystander-K7tqPz2mWx9cVb4nRj6d',
  hostile: 'hostile-Qm3sYw8eLk5uHf2gTz7p',
  operator: 'operator-Bn6vXc1oJr4iDa9yGe3h',
} as const;

export const auth = {
  tokens: [
    { token: tokens.bystander, principal: 'bystander', scopes: ['read', 'write'] },
    { token: tokens.hostile, principal: 'hostile', scopes: ['read', 'write'] },
    { token: tokens.operator, principal: 'operator', scopes: ['read', 'write', 'admin'] },
  ],
};

export type Target = { readonly node: GatewayProcess; readonly redis: TestRedis };

export type Attack = {
  /** A program of `attacks/`, without `.mjs`: it runs until it is killed. */
  readonly program: string;
  /** Sections of the node's configuration. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly args?: readonly string[];
  /** Limit of open files of the node. */
  readonly openFiles?: number;
  /** Prepares the attack; its result is passed to the program. */
  prepare?(target: Target): Promise<Readonly<Record<string, unknown>>>;
  /** More checks after the attack. */
  afterwards?(target: Target): Promise<void> | void;
};

const sections = (config: Attack['config'] = {}) => ({
  ...config,
  gateway: { auth, allowed_origins: [], ...config.gateway },
  log: { level: 'info', ...config.log },
});

/**
 * Runs one hostile process at full speed (at the lowest priority, since it shares the machine) against one node
 * on which another principal talks. Checks what must hold during and after every attack.
 */
export async function withstand(attack: Attack): Promise<void> {
  const redis = await startRedis();
  const node = await startGateway({
    config: sections(attack.config),
    redisUrl: redis.url,
    env: { MALLOC_MMAP_THRESHOLD_: '131072' }, // as in the image (docs/operate/operations.md)
    ...(attack.openFiles === undefined ? {} : { openFiles: attack.openFiles }),
  });
  try {
    await judge(attack, { node, redis });
  } finally {
    await node.stop();
    await redis.stop();
  }
}

async function judge(attack: Attack, target: Target): Promise<void> {
  const { node } = target;
  const conversations = await startConversations(node.wsUrl, tokens.bystander);
  const prepared = (await attack.prepare?.(target)) ?? {};
  await sleep(QUIET_MS);
  const idleMemory = memoryOf(node.pid);
  const before = { turns: conversations.turnsMs.length, processor: processorOf(node.pid) };
  const { admin_port } = await node.waitForLog(({ msg }) => msg === 'ready');
  const liveUrl = admin_port === undefined ? node.url : `http://127.0.0.1:${admin_port}`;
  const watching = watch({ url: node.url, liveUrl }, node.pid);

  const hostile = startHostile(attack, {
    url: node.url,
    wsUrl: node.wsUrl,
    ...tokens,
    ...prepared,
  });
  await sleep(attackSeconds * 1_000);
  const { error, said } = await hostile.stop();
  const processor = processorOf(node.pid) - before.processor;
  const { notReady, notAlive, probes, memoryMax } = await watching.stop();
  const after = conversations.turnsMs.length;
  const backMs = await memoryBackMs(node.pid, idleMemory + MEMORY_BACK);
  await sleep(QUIET_MS);
  await conversations.stop();

  const turns = conversations.turnsMs.slice(before.turns, after);
  const quiet = [
    conversations.turnsMs.slice(0, before.turns),
    conversations.turnsMs.slice(after + SETTLED_TURNS),
  ].map((some) => percentile(some, 0.99));
  const warnings = node.logs.filter(({ level }) => WARNING_LEVELS.includes(String(level)));
  const p99 = percentile(turns, 0.99);
  const seen = {
    attack: [attack.program, ...(attack.args ?? [])].join(' '),
    turns: turns.length,
    p50: percentile(turns, 0.5),
    p99,
    max: percentile(turns, 1),
    quietP99: quiet.join(' and '),
    processor: Math.round(processor),
    memory: `${idleMemory} +${memoryMax - idleMemory} MiB, back after ${backMs} ms`,
    notReady: `${notReady.length} of ${probes}`,
    notAlive: notAlive.length,
    warnings: warnings.length,
    hostile: said,
  };
  process.stderr.write(`${JSON.stringify(seen)}\n`);

  expect(error).toBe('');
  expect({ cut: conversations.cut.slice(0, 5) }).toEqual({ cut: [] });
  expect({ notAlive: notAlive.slice(0, 5) }).toEqual({ notAlive: [] });
  // Without descriptors a probe on the port of the clients gets no connection.
  if (attack.openFiles === undefined)
    expect({ notReady: notReady.slice(0, 5) }).toEqual({ notReady: [] });
  expect(turns.length).toBeGreaterThan(0);
  expect(p99).toBeLessThan(TURN_P99_MS + Math.min(Math.max(...quiet), NOISE_MS_MAX));
  expect(memoryMax - idleMemory).toBeLessThan(MEMORY_MAX);
  expect(backMs).toBeLessThan(BACK_WITHIN_MS);
  expect(warnings.slice(WARNINGS_MAX)).toEqual([]);
  await attack.afterwards?.(target);
}

async function memoryBackMs(pid: number, limit: number): Promise<number> {
  const sinceMs = performance.now();
  while (memoryOf(pid) > limit && performance.now() - sinceMs < BACK_WITHIN_MS) await sleep(250);
  return Math.round(performance.now() - sinceMs);
}

function startHostile({ program, args = [] }: Attack, given: Record<string, unknown>) {
  const file = fileURLToPath(new URL(`attacks/${program}.mjs`, import.meta.url));
  const nice = ['-n', '19', process.execPath, file, JSON.stringify(given), ...args];
  const child = startChild('nice', nice);
  let said = '';
  let error = '';
  child.stdout.on('data', (text) => {
    said = String(text).trim().split('\n').at(-1) ?? '';
  });
  child.stderr.on('data', (text) => {
    error = (error + String(text)).slice(0, 2_000);
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    forget();
    child.kill('SIGKILL');
    await closed;
    return { error, said };
  };
  const forget = stopLater(stop);
  return { stop };
}
