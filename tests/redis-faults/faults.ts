import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionChoice, eventually, startRedis } from '@sluice/testkit';
import type { World } from './world.js';

/** When `/ready` must be red: milliseconds behind the beginning of the fault; undefined: never asked. */
export type Red = { readonly fromMs: number; readonly untilMs: number };

export type Fault = {
  readonly name: string;
  readonly red?: Red;
  /** A turn under way is kept when the fault is shorter than its lease. Default true. */
  readonly keepsWork?: boolean;
  /** Redis has nothing left of what was there before. Default false. */
  readonly loses?: boolean;
  /** Begins the fault; resolves with what ends it. `begun` is called when it begins, if that takes long. */
  begin(world: World, begun: () => void): Promise<() => Promise<void>>;
};

/** Closed or refusing: red within 1 s. What the machine needs beside it is in the tolerance. */
const CLOSED: Red = { fromMs: 0, untilMs: 1_000 };
/** Open and silent, or refusing writes: a pause of 1 s changes nothing. */
const SILENT: Red = { fromMs: 1_000, untilMs: 2_000 };
/** BullMQ's blocking read is silent by nature for some seconds. */
const BLOCKING_SILENT: Red = { fromMs: 1_000, untilMs: 6_000 };

const roles = ['commands', 'subscriber', 'ring', 'blocking', 'all'] as const;

/** Half open: the connections that stand answer nothing ever again, new ones nothing until the end. */
const silent = (role: ConnectionChoice): Fault => ({
  name: `silent ${role}`,
  red: role === 'blocking' ? BLOCKING_SILENT : SILENT,
  begin: async ({ first: { proxy } }) => {
    proxy.abandon(role);
    proxy.silence(role, true);
    return async () => proxy.silence(role, false);
  },
});

const refusing = (role: ConnectionChoice): Fault => ({
  name: `refusing ${role}`,
  red: CLOSED,
  begin: async ({ first: { proxy } }) => {
    proxy.reject(role, true);
    return async () => proxy.reject(role, false);
  },
});

/** A managed failover: the primary hands over and stays, as a replica, with its connections open. */
const demoted: Fault = {
  name: 'demoted',
  // Before the roles change, a failover lets writes wait.
  red: { ...SILENT, fromMs: 0 },
  begin: async ({ boss, redis, proxies }, begun) => {
    const heir = await startRedis();
    await heir.client().replicaof('127.0.0.1', redis.port);
    const isOnline = async () => /slave0:.*state=online/.test(await boss.info('replication'));
    await eventually(isOnline, 15_000);
    await boss.call('FAILOVER');
    await eventually(async () => /role:slave/.test(await boss.info('replication')));
    begun();
    return async () => {
      for (const proxy of proxies) proxy.target(heir.port);
    };
  },
};

/** Anybody's script that does not end: everybody else is answered with BUSY. */
const busy: Fault = {
  name: 'BUSY',
  red: SILENT,
  begin: async ({ boss, redis }) => {
    await boss.config('SET', 'busy-reply-threshold', 100);
    const looping = redis.client().eval('while true do end', 0);
    looping.catch(() => undefined);
    return async () => {
      await boss.call('SCRIPT', 'KILL');
      await looping.catch(() => undefined);
    };
  },
};

const noRights: Fault = {
  name: 'NOPERM',
  red: SILENT,
  begin: async ({ boss }) => {
    await boss.call('ACL', 'SETUSER', 'default', '-@write', '-@scripting');
    return async () => void (await boss.call('ACL', 'SETUSER', 'default', '+@all'));
  },
};

/** The last snapshot failed, so that Redis takes no writes. */
const cannotSave: Fault = {
  name: 'MISCONF',
  red: SILENT,
  begin: async ({ boss }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-misconf-'));
    await boss.config('SET', 'dir', dir);
    rmSync(dir, { recursive: true });
    await boss.config('SET', 'save', '3600 1');
    await boss.bgsave();
    await eventually(async () => /bgsave_status:err/.test(await boss.info('persistence')));
    return async () => void (await boss.config('SET', 'save', ''));
  },
};

const noReplicas: Fault = {
  name: 'NOREPLICAS',
  red: SILENT,
  begin: async ({ boss }) => {
    await boss.config('SET', 'min-replicas-to-write', 1);
    return async () => void (await boss.config('SET', 'min-replicas-to-write', 0));
  },
};

/** All connections are cut, and Redis takes no new ones. */
const outOfClients: Fault = {
  name: 'out of clients',
  red: CLOSED,
  begin: async ({ boss }) => {
    await boss.config('SET', 'maxclients', 1);
    await boss.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await boss.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    return async () => void (await boss.config('SET', 'maxclients', 10_000));
  },
};

const clockMoves = (name: string, bySeconds: number): Fault => ({
  name,
  // Leases that end by the clock alone: their turns may run twice (L5), and no write is doubled.
  keepsWork: bySeconds < 0,
  begin: async ({ redis }) => {
    redis.moveClock(bySeconds * 1_000);
    return async () => redis.moveClock(0);
  },
});

const restartsEarlier: Fault = {
  name: 'restart with an earlier clock',
  red: CLOSED,
  begin: async ({ redis }) => {
    await redis.shutdown();
    return async () => {
      redis.moveClock(-90_000);
      await redis.start();
    };
  },
};

const flushed: Fault = {
  name: 'flushed',
  loses: true,
  begin: async ({ boss }) => {
    await boss.flushall();
    return async () => undefined;
  },
};

export const faults: readonly Fault[] = [
  ...roles.map(silent),
  ...roles.map(refusing),
  ...[demoted, busy, noRights, cannotSave, noReplicas, outOfClients],
  clockMoves('clock back', -90),
  clockMoves('clock forward', 60),
  restartsEarlier,
  flushed,
];
