import {
  type Lease,
  openStore,
  type Retry,
  type SessionRef,
  type Store,
  sessionKeyId,
} from '@sluice/store';
import { addressOf, stopLater, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { makeLog } from '../../../apps/gateway/dist/log.js';

const MINUTE_MS = 60_000;
export const RESUME_WINDOW_MS = 60 * MINUTE_MS;
export const UNUSED_WINDOW_MS = 5 * MINUTE_MS;

type StoreOptions = Parameters<typeof openStore>[0];

/** The limits of a store under test; small enough to be reached. */
export const limits: StoreOptions['limits'] = {
  ttlMs: 10_000,
  maxAttempts: 3,
  maxHandOvers: 2,
  maxEvents: 10_000,
  maxLogBytes: 1_000_000,
  maxMessages: 100,
  maxSeen: 64,
  maxDead: 10,
  maxInbox: 16,
  maxInboxBytes: 100_000,
  resumeWindowMs: RESUME_WINDOW_MS,
};

export type WorldOptions = Partial<
  Pick<StoreOptions, 'nodeId' | 'prefix' | 'partitions' | 'address' | 'quorum'>
> & {
  readonly limits?: Partial<StoreOptions['limits']>;
};

/** A store of its own connections, closed when the file ends. */
export async function openTestStore(url: string, options: WorldOptions = {}): Promise<Store> {
  const { nodeId = 'n1', prefix = 'sluice', partitions = 4, quorum = [] } = options;
  const store = await openStore({
    address: options.address ?? addressOf(url),
    prefix,
    partitions,
    nodeId,
    quorum,
    limits: { ...limits, ...options.limits },
    sweepIntervalMs: 1,
    sessionEnd: { stream: `${prefix}:session-end`, maxLength: 1_000, groups: [] },
    log: makeLog({ level: 'silent', pretty: false }),
  });
  stopLater(() => store.close());
  return store;
}

export const refOf = (sessionId: string): SessionRef => ({ principal: 'alice', sessionId });
export const idOf = ({ principal, sessionId }: SessionRef) => sessionKeyId(principal, sessionId);

let attaches = 0;

/** Attaches a connection, creating the session when there is none. */
export function attach(
  store: Store,
  ref: SessionRef,
  fields: Partial<Parameters<Store['sessions']['attach']>[0]> = {},
) {
  const attachId = `attach-${++attaches}`;
  return store.sessions.attach({ ...ref, agent: 'echo', create: true, attachId, ...fields });
}

export function append(
  store: Store,
  ref: SessionRef,
  messageId: string,
  mode = 'enqueue' as const,
) {
  return store.inbox.append(ref, { messageId, content: `content of ${messageId}`, mode });
}

/** A new session with these messages waiting. */
export async function sessionWith(store: Store, sessionId: string, ...messageIds: string[]) {
  const ref = refOf(sessionId);
  await attach(store, ref, { attachId: 'first' });
  for (const messageId of messageIds) await append(store, ref, messageId);
  return ref;
}

/** Peek, Redlock, `turn-begin`, as a node does it when a ring comes. */
export async function take(store: Store, ref: SessionRef, turnId: string) {
  const id = idOf(ref);
  const peeked = await store.leases.peek(id, '');
  if (peeked.kind !== 'free') throw new Error(`not free: ${peeked.kind}`);
  const claim = await store.leases.acquire(id);
  if (!claim) throw new Error('the Redlock is taken');
  const begun = await store.leases.begin(
    { id, token: claim.token, fence: peeked.fence },
    { turnId },
  );
  if (begun.kind !== 'begun' && begun.kind !== 'exhausted') throw new Error(begun.kind);
  const lease: Lease = { id, token: claim.token, fence: begun.head.fence };
  return { claim, lease, begun, head: begun.head };
}

export const commitOf = (
  turnId: string,
  more: Partial<Parameters<Store['leases']['commit']>[1]> = {},
): Parameters<Store['leases']['commit']>[1] => ({
  turnId,
  nextTurnId: `after-${turnId}`,
  fetch: true,
  status: 'ok',
  reason: '',
  content: `reply of ${turnId}`,
  usage: '',
  trailing: [],
  ...more,
});

/** An attempt that is worth another one, in a minute. */
export const retryOf = (turnId: string, more: Partial<Retry> = {}): Retry => ({
  turnId,
  how: 'failed',
  delayMs: MINUTE_MS,
  retryForMs: MINUTE_MS,
  ...more,
});

/** Time passes for the lease of a holder that does not come back, without waiting for it. */
export async function expireLease(client: Redis, store: Store, ref: SessionRef): Promise<void> {
  const { state, lease } = store.keys.session(idOf(ref));
  await client.multi().hset(state, 'lease_until', 1).del(lease).exec();
}

/** The keys of this prefix, sorted, without BullMQ's. */
async function keysOf(client: Redis, prefix: string): Promise<string[]> {
  return (await client.keys(`${prefix}:*`)).sort();
}

/** Every byte and every expiry under a prefix: equal means that nothing changed. */
export async function dump(client: Redis, prefix: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const key of await keysOf(client, prefix)) {
    const [value, at] = await Promise.all([client.dumpBuffer(key), client.pexpiretime(key)]);
    all[key] = `${value?.toString('hex')} expires ${at}`;
  }
  return all;
}

export async function startClean(redis: TestRedis): Promise<Redis> {
  const client = redis.client();
  await client.flushall();
  return client;
}

/** What a key of any type holds. */
export async function valueIn(client: Redis, key: string): Promise<unknown> {
  switch (await client.type(key)) {
    case 'hash':
      return Object.entries(await client.hgetall(key)).sort();
    case 'list':
      return await client.lrange(key, 0, -1);
    case 'zset':
      return await client.zrangebyscore(key, '-inf', '+inf', 'WITHSCORES');
    case 'stream':
      return await client.xrange(key, '-', '+');
    default:
      return await client.get(key);
  }
}

/** Times, epochs, fences, random tokens and ids differ between two runs; nothing else may. */
export function withoutTimes(value: unknown, prefix: string): unknown {
  const text = JSON.stringify(value ?? null)
    .replaceAll(`${prefix}:`, 'prefix:')
    .replace(/1\d{15}(?= \d+ 1\d{12} [\d,]+\\n)/g, '1') // of a publication, behind the bytes of the one before
    .replace(/\b1\d{15}\b/g, '1')
    .replace(/\b3\d{12}\b/g, (number) => (Number(number) % 2 === 1 ? 'paused' : 'resumed'))
    .replace(/\b1\d{12}\b/g, '2')
    .replace(/\b1\d{9}(\.\d+)?\b/g, '3')
    .replace(/\b[0-9a-f]{32,}\b/g, 'token')
    .replace(/("pauseMs":|"leaseLeftMs":|"pause",")\d+/g, '$15')
    .replace(/(?<![\w-])[\w-]{7}(?=:\d+:\d*[ "])/g, 'call')
    .replace(/~[\w-]{8}(?=[ "])/g, 'process')
    .replace(/\b(draw|sweep|retry|drop)_[\w-]{22}/g, '$1');
  return JSON.parse(text);
}

/** What is stored under a prefix and rung for it, without what differs between any two runs. */
export async function contents(client: Redis, store: Store): Promise<unknown> {
  const { prefix, ringPrefix } = store.keys;
  const all: unknown[] = [];
  for (const key of await keysOf(client, prefix)) {
    const expires = (await client.pttl(key)) > 0;
    all.push([key, await valueIn(client, key), expires]);
  }
  await store.rings.settled();
  all.push(['rings', await client.lrange(`${ringPrefix}:ring:wait`, 0, -1)]);
  return withoutTimes(all, prefix);
}
