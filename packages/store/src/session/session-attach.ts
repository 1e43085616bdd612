import { type Keys, sessionKeyId } from '../keys/keys.js';
import { Lane } from '../reads/lane.js';
import type { Connection } from '../redis/connect.js';
import { CallerGone, StoreFull } from '../redis/unavailable.js';
import * as scripts from '../script/scripts-session.js';
import { decodeRecords, type LogPage } from './event-log.js';
import type { SessionOptions, SessionRef } from './session-ref.js';

/** A session that never got a message expires this long after its last connection. */
export const UNUSED_WINDOW_MS = 5 * 60_000;
/**
 * Most bytes of the log in the answer to an attach: most clients that come back have missed less. It goes over the
 * connection for commands, where `ATTACHES_AT_ONCE` of them must not hold up a renewal.
 */
const ATTACH_PAGE_BYTES = 32 * 1024;
/**
 * Most attaches of a node under way. When all its clients come back at once, a message waits for this many of them in
 * Redis, and for this many answers here.
 */
const ATTACHES_AT_ONCE = 64;

export type AttachRequest = SessionRef & {
  /** '' accepts the session's own agent (a reader that does not name one). */
  readonly agent: string;
  readonly create: boolean;
  /** Cursor of the reader; undefined: from its resume mark (E10). */
  readonly since?: number | undefined;
  readonly epoch?: string | undefined;
  /** Unique for each attach of each connection. */
  readonly attachId: string;
  /** The answer brings the events after the cursor, if they are short. */
  readonly withPage?: boolean;
  /** True: nobody waits for the answer any more. */
  isGone?(): boolean;
  readonly metadata?: Record<string, unknown> | undefined;
};

/** `page`: the events after the cursor, or the first of them; undefined: not asked for, none or too long. */
export type Attached = (scripts.AttachReply & { kind: 'attached' }) & {
  readonly page?: LogPage | undefined;
};
export type AttachAnswer = Exclude<scripts.AttachReply, { kind: 'attached' }> | Attached;

/** Binds connections to sessions. Throws StoreUnavailable (StoreFull, CallerGone). */
export function makeAttach(connection: Connection, keys: Keys, options: SessionOptions) {
  const attaches = new Lane({ atOnce: ATTACHES_AT_ONCE });

  return async (request: AttachRequest): Promise<AttachAnswer> => {
    const id = sessionKeyId(request.principal, request.sessionId);
    const create = request.create && !options.memory.isFull();
    const hasCursor = request.since !== undefined;
    const args = {
      id,
      agent: request.agent,
      principal: request.principal,
      session_id: request.sessionId,
      create: create ? 1 : 0,
      since: request.since ?? '',
      known_epoch: request.epoch ?? '',
      connection: request.attachId,
      process: options.processId,
      // Only resume marks need it (E10).
      live_processes: hasCursor ? '' : ` ${options.liveProcesses().join(' ')} `,
      node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
      wakes_counted: 1,
      metadata: create ? JSON.stringify(request.metadata ?? {}) : '',
      page_bytes: request.withPage ? ATTACH_PAGE_BYTES : 0,
      unused_window: UNUSED_WINDOW_MS,
    };
    const reply = await attaches.run(
      request.principal,
      () => connection.run(scripts.sessionAttach, keys.session(id), args),
      () => (request.isGone?.() ? new CallerGone() : undefined),
    );
    if (reply.kind === 'not_found' && request.create && !create) throw new StoreFull();
    return reply.kind === 'attached' ? { ...reply, page: firstPage(reply) } : reply;
  };
}

function firstPage({ epoch, cursor, events }: scripts.AttachReply & { kind: 'attached' }) {
  if (events.length === 0) return undefined;
  return {
    ...{ epoch, head: cursor, epochBefore: '', epochFrom: 0, bytes: 0 },
    events: decodeRecords(events),
  };
}
