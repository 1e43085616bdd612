import type { Connection } from './connect.js';
import type { Keys } from './keys.js';
import { newestPlaces, type Place } from './newest.js';
import * as scripts from './scripts.js';

/** Sessions of one batch, and looked at for one page: a rare state must not read all of Redis. */
const BATCH = 100;
const LOOKED_AT_MAX = 500;

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
  /** It is, or its agent: what waits does not begin. */
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

/** Sessions, those first that somebody was at last. Throws StoreUnavailable. */
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
    let last = request.after && toPlace(request.after);
    for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX; ) {
      const { places, hasMore } = await newestPlaces(connection, keys, {
        keyIn: (partition) => keys.sessionsIn(partition, principal),
        after: last,
        count: isFiltered ? BATCH : count,
      });
      const described = await Promise.all(places.map(({ member }) => describe(member)));
      for (const [at, place] of places.entries()) {
        last = place;
        const session = described[at]; // undefined: expired, and not yet struck off by the sweep
        if (session && isWanted(session)) sessions.push(session);
        const isEnd = at + 1 === places.length && !hasMore;
        if (sessions.length === count)
          return { sessions, next: isEnd ? undefined : cursorOf(last) };
      }
      if (!hasMore) return { sessions, next: undefined };
      lookedAt += places.length;
    }
    return { sessions, next: last && cursorOf(last) };
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
    metadata: JSON.parse(metadata || '{}') as Record<string, unknown>,
    state: isExecuting ? 'executing' : pending > 0 ? 'pending' : 'idle',
    pending,
    holder: isHeld ? holder : undefined,
    isPaused,
  };
}
