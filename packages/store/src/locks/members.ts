import { exitStatus, type Logger, monotonicMs, StartError, sleep } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { Keys } from '../keys/keys.js';
import { type RedisAddress, redisOptions, withoutSecrets } from '../redis/address.js';
import { connectionName, openFailFast } from '../redis/clients.js';
import { LOOK_MS, Proof } from '../redis/connection-proof.js';
import { probeWrite } from '../redis/connections-watch.js';
import { serverRefusal } from '../redis/server-check.js';
import { redisRemedy } from '../redis/start-fault.js';
import { infoField } from '../server/server-info.js';

/** How long a start waits for a majority before it leaves the retry to the supervisor (75). */
const START_WAIT_MS = 5_000;
/** A member that has not answered for a tenth of the TTL counts as silent for that call. */
const TIMEOUT_SHARE = 0.1;
const TIMEOUT_LEAST_MS = 50;
const TIMEOUT_MOST_MS = 1_000;

export type MembersOptions = {
  readonly urls: readonly string[];
  readonly tls?: RedisAddress['tls'];
  readonly nodeId: string;
  readonly keys: Keys;
  readonly ttlMs: number;
  /** Ends a start that still waits. */
  readonly stop?: AbortSignal | undefined;
  readonly log: Logger;
};

/** The independent masters of a Redlock quorum. */
export type Members = {
  readonly clients: readonly Redis[];
  readonly majority: number;
  /** The same database at each member: redlock selects one. */
  readonly db: number;
  /** How many answer now. */
  answering(): number;
  /** Resolves with true when a majority answers, with false when none does within `ms`. */
  reached(ms: number): Promise<boolean>;
  close(): void;
};

type Member = {
  readonly client: Redis;
  readonly proof: Proof;
  readonly shown: string;
  /** `run_id` of the server that answered last. */
  server: string;
  told: string;
};

/** How long a call to one member may take: well below the TTL, so that a frozen one costs little of it. */
export function memberTimeoutMs(ttlMs: number): number {
  return Math.min(TIMEOUT_MOST_MS, Math.max(TIMEOUT_LEAST_MS, Math.round(ttlMs * TIMEOUT_SHARE)));
}

/**
 * Connects to each member and watches it as long as the node runs. Logs once when a member stops answering, when the
 * majority is lost, and when they come back. Throws StartError: 75 without a majority, 78 when a member does not fit.
 */
export async function openMembers(options: MembersOptions): Promise<Members> {
  const { urls, nodeId, keys, ttlMs, log } = options;
  const majority = Math.floor(urls.length / 2) + 1;
  const members = urls.map((url, at): Member => {
    const name = connectionName(nodeId, `quorum-${at + 1}`);
    const client = openFailFast({ url, tls: options.tls }, name, memberTimeoutMs(ttlMs));
    client.on('error', (err) => log.debug({ err }, 'redis connection failed'));
    const member: Member = {
      ...{ client, shown: withoutSecrets(url), server: '', told: '' },
      proof: new Proof(client, {
        part: `quorum-${at + 1}`,
        async ask() {
          const [info] = await Promise.all([
            client.info('server', 'replication', 'persistence'),
            probeWrite(client, keys.server().pulse),
          ]);
          member.server = infoField(info, 'run_id');
          return info;
        },
      }),
    };
    return member;
  });

  /** Two addresses of one server have one vote: the later one does not count. */
  const twinOf = (member: Member) =>
    members.find(
      (other) => other !== member && other.server !== '' && other.server === member.server,
    );
  const isTwin = (member: Member) => {
    const twin = twinOf(member);
    return twin !== undefined && members.indexOf(twin) < members.indexOf(member);
  };
  const whyNot = (member: Member) => {
    const fault = member.proof.fault();
    if (fault) return fault.why;
    return isTwin(member) ? `it is the same server as ${twinOf(member)?.shown}` : undefined;
  };
  const answering = () => members.filter((member) => whyNot(member) === undefined).length;

  let lostSinceMs: number | undefined;
  const report = () => {
    const count = { answering: answering(), members: members.length };
    for (const member of members) {
      const why = whyNot(member) ?? '';
      if ((why === '') === (member.told === '')) continue;
      member.told = why;
      const about = { member: member.shown, ...count };
      if (why !== '') log.warn({ ...about, why }, 'quorum member does not answer');
      else log.info(about, 'quorum member answers again');
    }
    if (count.answering < majority && lostSinceMs === undefined) {
      lostSinceMs = monotonicMs();
      log.error(count, 'no majority of the lease quorum answers: no lease is taken until it does');
    } else if (count.answering >= majority && lostSinceMs !== undefined) {
      const ms = Math.round(monotonicMs() - lostSinceMs);
      lostSinceMs = undefined;
      log.info({ ...count, ms }, 'a majority of the lease quorum answers again');
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const close = () => {
    clearInterval(timer);
    for (const { client } of members) client.disconnect();
  };

  const untilMs = monotonicMs() + START_WAIT_MS;
  const isUp = ({ client }: Member) => client.status === 'ready';
  // All of them if they come soon: what is wrong with one is then told at the start.
  const soonMs = monotonicMs() + START_WAIT_MS / 5;
  const isEnough = () => {
    const up = members.filter(isUp).length;
    return up === members.length || (up >= majority && monotonicMs() > soonMs);
  };
  while (!isEnough()) {
    const isStopped = options.stop?.aborted === true;
    if (isStopped || monotonicMs() >= untilMs) {
      const faults = members.filter((it) => !isUp(it)).map((it) => `${it.shown}: ${saidBy(it)}`);
      close();
      if (isStopped) throw new StartError('told to stop before Redis answered', exitStatus.ok);
      const up = members.length - faults.length;
      const what = `lease.quorum: ${up} of ${members.length} members answer, ${majority} are needed`;
      throw new StartError(`${what}; ${faults.join('; ')}`, exitStatus.tempFail);
    }
    await sleep(10);
  }
  try {
    await checkMembers(members.filter(isUp), log);
  } catch (error) {
    close();
    throw error;
  }
  timer = setInterval(() => {
    for (const { proof } of members) proof.look();
    report();
  }, LOOK_MS);
  return {
    clients: members.map(({ client }) => client),
    majority,
    db: redisOptions({ url: urls[0] ?? '' }).db ?? 0,
    answering,
    async reached(ms) {
      const endMs = monotonicMs() + ms;
      while (answering() < majority) {
        if (monotonicMs() >= endMs) return false;
        await sleep(LOOK_MS);
      }
      return true;
    },
    close,
  };
}

function saidBy({ proof }: Member): string {
  const said = proof.state().refusedBy ?? 'no answer';
  return `${said}; ${redisRemedy(said).todo}`;
}

/** Throws StartError on a member that cannot serve: a replica, part of a Cluster, too old, or another member again. */
async function checkMembers(members: readonly Member[], log: Logger): Promise<void> {
  const seen = new Map<string, string>();
  for (const { client, shown } of members) {
    const info = await client.info().catch(() => '');
    const refusal = serverRefusal(info);
    if (refusal) {
      throw new StartError(`lease.quorum: ${shown}: ${refusal.what}`, refusal.status);
    }
    const server = infoField(info, 'run_id');
    const twin = seen.get(server);
    if (server !== '' && twin !== undefined) {
      const what = `lease.quorum: ${shown} and ${twin} are the same server`;
      throw new StartError(`${what}; name an independent one`, exitStatus.config);
    }
    seen.set(server, shown);
    const policy = infoField(info, 'maxmemory_policy');
    if (policy !== '' && policy !== 'noeviction') {
      const what = 'quorum member may evict Redlocks: set its maxmemory-policy to noeviction';
      log.warn({ member: shown, policy }, what);
    }
  }
}
