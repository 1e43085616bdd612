import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionChoice, eventually, startRedis } from '@sluice/testkit';
import type { World } from './world.js';

/** When `/ready` must turn red, in milliseconds from the beginning of the fault. */
export type Red = { readonly fromMs: number; readonly untilMs: number };

export type Fault = {
  readonly name: string;
  /** Absent: `/ready` is not checked. */
  readonly red?: Red;
  /** A running turn is kept if the fault is shorter than its lease. Default true. */
  readonly keepsWork?: boolean;
  /** Redis loses all its data. Default false. */
  readonly loses?: boolean;
  /** Begins the fault; resolves with a function that ends it. Calls `begun` if the fault begins later. */
  begin(world: World, begun: () => void): Promise<() => Promise<void>>;
};

/** Closed or refusing: red within 1 s. The tolerance covers what a busy machine adds. */
const CLOSED: Red = { fromMs: 0, untilMs: 1_000 };
/** Open and silent, or refusing writes: red only after 1 s. */
const SILENT: Red = { fromMs: 1_000, untilMs: 2_000 };
/** BullMQ's blocking read is silent by nature for some seconds. */
const BLOCKING_SILENT: Red = { fromMs: 1_000, untilMs: 6_000 };

const roles = ['commands', 'subscriber', 'ring', 'blocking', 'all'] as const;

/** Half open: existing connections never answer again, new ones not until the end of the fault. */
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

/** A managed failover: the primary hands over and stays as a replica, with its connections open. */
const demoted: Fault = {
  name: 'demoted',
  // A failover blocks writes before the roles change.
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

/** A foreign script does not end: all other clients get BUSY. */
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

/** The last snapshot failed, so that Redis refuses writes. */
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

/** All connections are cut, and Redis accepts no new ones. */
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
  // A clock that moves forward ends the leases: turns may run twice (L5), but no write is doubled.
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
