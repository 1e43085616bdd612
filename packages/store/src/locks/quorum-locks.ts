import { readFileSync } from 'node:fs';
import { betweenFailpoints, monotonicMs, within } from '@sluice/runtime';
import { ExecutionError, Redlock, ResourceLockedError } from 'redlock';
import type { Keys } from '../keys/keys.js';
import type { PlainCall } from '../script/failpoints.js';
import { type Extended, type Locked, NoMajority, type QuorumLocks } from './locks.js';
import { memberScript } from './member-script.js';
import type { Members } from './members.js';
import { lockOf } from './own-locks.js';

const scriptsUrl = new URL('../../scripts/quorum/', import.meta.url);
const scriptOf = (name: string) =>
  memberScript(readFileSync(new URL(`${name}.lua`, scriptsUrl), 'utf8'));
const locksExtend = scriptOf('locks-extend');
const locksRelease = scriptOf('locks-release');

/** A release waits no longer for its majority: what is not deleted ends with its TTL. */
const RELEASE_WAIT_MS = 250;

/** What Redlock allows for clocks that run at different speeds, and for the granularity of expiries. */
const DRIFT_SHARE = 0.01;
const DRIFT_MS = 2;

/**
 * Redlock at a majority of independent masters. All of them are asked at once, and the answer of the majority counts:
 * a silent minority delays nothing. A member that lost a key gets it again at the next renewal (ADR 28).
 */
export function makeQuorumLocks(
  members: Members,
  keys: Keys,
  { ttlMs }: { readonly ttlMs: number },
): QuorumLocks {
  const { clients, majority, db } = members;
  const redlock = new Redlock(clients, { retryCount: 0, db, driftFactor: DRIFT_SHARE });
  redlock.on('error', () => {}); // members.ts tells who is away; every failure also reaches the caller
  const between = <T>(call: PlainCall, run: () => Promise<T>) => betweenFailpoints(call, run);
  const resourceOf = (id: string) => keys.session(id).lease;
  const deadlineFrom = (sentMs: number) => sentMs + ttlMs * (1 - DRIFT_SHARE) - DRIFT_MS;

  /** Sets the key again at members that have lost it: never where another has one. */
  function restore(id: string, token: string, lacking: Iterable<unknown>): void {
    const at = new Set(lacking);
    for (const client of clients) {
      if (at.has(client)) {
        client.set(resourceOf(id), token, 'PX', ttlMs, 'NX').catch(() => undefined);
      }
    }
  }

  async function release(all: readonly Locked[]): Promise<void> {
    if (all.length === 0) return;
    const resources = all.map(({ id }) => resourceOf(id));
    const tokens = all.map(({ token }) => token);
    const released = clients.map((client) => locksRelease(client, resources, tokens));
    await between('lease-release', () =>
      within(settledByMajority(released, majority), RELEASE_WAIT_MS),
    );
  }

  return {
    where: 'quorum',
    async acquire(id) {
      const sentMs = monotonicMs();
      const deadlineMs = deadlineFrom(sentMs);
      try {
        const lock = await between('lease-acquire', () => redlock.acquire([resourceOf(id)], ttlMs));
        if (monotonicMs() < deadlineMs) return { token: lock.value, deadlineMs };
        await release([{ id, token: lock.value }]);
        return undefined;
      } catch (error) {
        const { answered } = await votesOf(error);
        if (answered < majority) throw new NoMajority({ cause: error });
        return undefined;
      }
    },
    async extend(id, claim) {
      const sentMs = monotonicMs();
      const lock = lockOf(redlock, resourceOf(id), claim);
      try {
        const { attempts } = await between('lease-extend', () => redlock.extend(lock, ttlMs));
        attempts[0]?.then(
          (stats) => restore(id, claim.token, lackingOf(stats.votesAgainst)),
          () => undefined,
        );
        return deadlineFrom(sentMs);
      } catch (error) {
        const { lacking } = await votesOf(error);
        restore(id, claim.token, lacking);
        return undefined;
      }
    },
    abandon: (id, { token }) => release([{ id, token }]),
    async extendAll(all) {
      const deadlineMs = deadlineFrom(monotonicMs());
      const resources = all.map(({ id }) => resourceOf(id));
      const args = [String(ttlMs), ...all.map(({ token }) => token)];
      const asked = clients.map((client) =>
        locksExtend(client, resources, args).then(
          (reply) => (Array.isArray(reply) ? reply.map(String) : []),
          () => [],
        ),
      );
      const votes = await between('lease-extend', () => Promise.all(asked));
      const answers = all.map((_, at): Extended => {
        const count = (word: string) => votes.filter((vote) => vote[at] === word).length;
        if (count('extended') >= majority) return 'extended';
        return count('another') >= majority ? 'another' : 'unreached';
      });
      return { deadlineMs, answers };
    },
    releaseAll: release,
  };
}

const lackingOf = (against: ReadonlyMap<unknown, Error>) =>
  [...against].flatMap(([client, error]) => (error instanceof ResourceLockedError ? [client] : []));

/** How many members have answered a call that failed, and which of them lack the key, or have another's. */
async function votesOf(error: unknown): Promise<{ answered: number; lacking: unknown[] }> {
  const attempt = error instanceof ExecutionError ? error.attempts[0] : undefined;
  if (!attempt) return { answered: 0, lacking: [] };
  const { votesFor, votesAgainst } = await attempt;
  const lacking = lackingOf(votesAgainst);
  return { answered: votesFor.size + lacking.length, lacking };
}

/** Resolves when the majority has answered, or every call has ended: nobody waits for a silent minority. */
function settledByMajority(calls: readonly Promise<unknown>[], majority: number): Promise<void> {
  return new Promise((resolve) => {
    let answered = 0;
    for (const call of calls) {
      call.then(
        () => {
          answered += 1;
          if (answered === majority) resolve();
        },
        () => undefined,
      );
    }
    Promise.allSettled(calls).then(() => resolve());
  });
}
