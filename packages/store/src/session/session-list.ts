import { jsonObject } from '../keys/damage.js';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';
import { newestMembers, type Place } from './listing-pages.js';

/** Most sessions that one page looks at, and that are read at once: a rare state must not cost all of Redis. */
const LOOKED_AT_MAX = 200;
const AT_ONCE = 50;

export type SessionSummary = {
  readonly sessionId: string;
  readonly agent: string;
  readonly principal: string;
  readonly createdAtMs: number;
  readonly lastActivityMs: number;
  readonly metadata: Record<string, unknown>;
  /** `pending`: something waits, and no turn runs. */
  readonly state: 'executing' | 'pending' | 'idle';
  readonly pending: number;
  /** The live holder, a lingering one included. */
  readonly holder: string | undefined;
  /** The session is paused, or its agent: waiting messages do not begin. */
  readonly isPaused: boolean;
};

/** Where a page ended: score and id of the last session that was looked at. */
export type SessionCursor = { readonly score: number; readonly id: string };

export type SessionListRequest = {
  /** undefined: of everybody. */
  readonly principal?: string | undefined;
  readonly agent?: string | undefined;
  readonly state?: SessionSummary['state'] | undefined;
  readonly after?: SessionCursor | undefined;
  readonly count: number;
};

export type SessionPage = {
  readonly sessions: readonly SessionSummary[];
  /** undefined: there are no others. */
  readonly next: SessionCursor | undefined;
};

export type SessionList = ReturnType<typeof makeSessionList>;

/** Lists sessions, the most recently active ones first. Throws StoreUnavailable. */
export function makeSessionList(connection: Connection, keys: Keys) {
  async function describe(id: string): Promise<SessionSummary | undefined> {
    const reply = await connection.run(scripts.sessionDescribe, keys.session(id), {});
    return reply && toSummary(reply);
  }

  async function list(request: SessionListRequest): Promise<SessionPage> {
    const { principal, agent, state, count } = request;
    const isWanted = (it: SessionSummary) =>
      (agent === undefined || it.agent === agent) && (state === undefined || it.state === state);
    const isFiltered = agent !== undefined || state !== undefined;
    const sessions: SessionSummary[] = [];
    const { places, hasMore } = await newestMembers(connection, keys, {
      keyIn: (partition) => keys.sessionsIn(partition, principal),
      after: request.after && toPlace(request.after),
      count: isFiltered ? LOOKED_AT_MAX : count,
    });
    for (let from = 0; from < places.length; from += AT_ONCE) {
      const batch = places.slice(from, from + AT_ONCE);
      const described = await Promise.all(batch.map(({ member }) => describe(member)));
      for (const [at, place] of batch.entries()) {
        const session = described[at]; // undefined: expired, and not yet struck off by the sweep
        if (session && isWanted(session)) sessions.push(session);
        if (sessions.length < count) continue;
        const isEnd = from + at + 1 === places.length && !hasMore;
        return { sessions, next: isEnd ? undefined : cursorOf(place) };
      }
    }
    const last = places.at(-1);
    return { sessions, next: hasMore && last ? cursorOf(last) : undefined };
  }

  const toPlace = ({ score, id }: SessionCursor): Place => ({
    score,
    partition: keys.partitionOf(id),
    member: id,
  });
  const cursorOf = ({ score, member }: Place): SessionCursor => ({ score, id: member });

  return { list };
}

function toSummary(reply: scripts.DescribeReply): SessionSummary {
  const { nowMs, fields, pending, isPaused } = reply;
  const [sessionId, agent, principal, createdAt, lastActivity, metadata, holder, until, batch] =
    fields;
  const isHeld = holder !== '' && Number(until) > nowMs;
  const isExecuting = isHeld && batch !== '';
  return {
    sessionId: sessionId ?? '',
    agent: agent ?? '',
    principal: principal ?? '',
    createdAtMs: Number(createdAt),
    lastActivityMs: Number(lastActivity),
    metadata: jsonObject(metadata ?? '') ?? {},
    state: isExecuting ? 'executing' : pending > 0 ? 'pending' : 'idle',
    pending,
    holder: isHeld ? holder : undefined,
    isPaused,
  };
}
