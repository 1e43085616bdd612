import {
  clientFrameTypes,
  type HelloErrorFrame,
  type HelloFrame,
  type HelloOkFrame,
  type JoinedFrame,
  type JoinFrame,
  PROTOCOL_VERSION,
  type ServerFrame,
  serverFrameTypes,
  streamTypes,
} from '@sluice/protocol';
import { makeId } from '@sluice/runtime';
import {
  type AttachAnswer,
  type AttachRequest,
  type SessionRef,
  StoreUnavailable,
  whyUnavailable,
} from '@sluice/store';
import type { Feed } from '../delivery/feed.js';
import { errorFrame } from '../delivery/frames.js';
import type { MarkPart } from '../delivery/marks.js';
import { SocketReader } from '../delivery/socket-reader.js';
import { costs } from '../limits/costs.js';
import { TOO_MANY_REQUESTS, unlessAway } from '../limits/rates.js';
import type { EdgeContext } from '../session/context.js';
import { type EnterReply, enterSession } from '../session/enter-session.js';
import type { Attached, Connection } from './connection.js';
import { detach } from './detach.js';

type AttachedReply = AttachAnswer & { kind: 'attached' };
type Entering = HelloFrame | JoinFrame;
/** `hello` is the answer, as JSON; the replay goes out right after it. */
export type Entered = Attached & { readonly reply: AttachedReply; readonly hello: string };

/** `hello` or `join`: binds the connection to a session. undefined: it was refused, and the error is sent. */
export async function attach(
  context: EdgeContext,
  connection: Connection,
  frame: Entering,
): Promise<Entered | undefined> {
  detach(context, connection);
  const refusal = refuse(context, frame) ?? tooMuchMetadata(context, frame);
  if (refusal) {
    connection.outbound.json(refusal);
    return undefined;
  }
  const admitted = await unlessAway(
    context.rates.request(connection.socket.identity.principal, costs.attach),
  );
  if (admitted.kind === 'refused') {
    const { retryAfterMs } = admitted;
    connection.outbound.json(rateLimited(frame, { why: TOO_MANY_REQUESTS, retryAfterMs }));
    return undefined;
  }
  const ref: SessionRef = {
    principal: connection.socket.identity.principal,
    sessionId: frame.session_id ?? makeId('ses'),
  };
  let feed: Feed | undefined;
  let mark: MarkPart | undefined;
  try {
    feed = await context.fanOut.acquire(ref, frame.agent_id);
    const attachId = makeId('att');
    const request: AttachRequest = {
      ...ref,
      agent: frame.agent_id,
      create: true,
      since: frame.since,
      epoch: frame.type === 'hello' ? frame.epoch : undefined,
      attachId,
      withPage: true,
      isGone: () => connection.state.kind === 'closed',
      metadata: frame.type === 'hello' ? frame.metadata : undefined,
    };
    const isNamed = frame.session_id !== undefined;
    mark = frame.since === undefined ? context.marks.enter(feed, ref) : undefined;
    const reply = await enterSession(context, request, { isNamed });
    if (reply.kind !== 'attached') {
      mark?.leave();
      context.fanOut.release(ref);
      connection.outbound.json(
        reply.kind === 'rate_limited' ? rateLimited(frame, reply) : wrongAgent(frame, ref),
      );
      return undefined;
    }
    return bind(context, connection, { frame, ref, feed, reply, attachId, mark });
  } catch (error) {
    mark?.leave();
    if (feed) context.fanOut.release(ref);
    if (!(error instanceof StoreUnavailable)) throw error;
    connection.outbound.json(unavailable(frame, whyUnavailable(error)));
    return undefined;
  }
}

/** Sends the answer, then replay or snapshot, then goes live (E3); a `status` when work is pending (E6). */
export async function replay(
  { metrics }: Pick<EdgeContext, 'metrics'>,
  { outbound }: Connection,
  { reader, feed, reply, hello }: Entered,
): Promise<void> {
  const { pending, resync, cursor, epoch, from, isPaused, page } = reply;
  outbound.send(hello);
  metrics.replayed(resync ? 0 : Math.max(0, cursor - from));
  await feed.catchUp(reader, { epoch, head: cursor, resync, page });
  if (pending > 0 && !reader.closed) {
    const what = isPaused ? 'Paused by an operator' : 'Resuming processing';
    reader.tell(`${what} (${pending} pending messages)...`);
  }
}

type Binding = {
  readonly frame: Entering;
  readonly ref: SessionRef;
  readonly feed: Feed;
  readonly reply: AttachedReply;
  readonly attachId: string;
  readonly mark: MarkPart | undefined;
};

function bind(
  context: EdgeContext,
  connection: Connection,
  { frame, ref, feed, reply, attachId, mark }: Binding,
): Entered {
  const session = { sessionId: ref.sessionId, agentId: reply.agent };
  const capabilities = frame.type === 'hello' ? (frame.capabilities ?? frame.caps) : undefined;
  const { outbound } = connection;
  const reader = new SocketReader({
    ref,
    session,
    attachId,
    from: reply.from,
    epoch: reply.epoch,
    head: reply.cursor,
    streaming: capabilities === undefined || capabilities.includes('streaming'),
    compactBut: capabilities?.includes('compact_replay') ? reply.headMessageId : undefined,
    outbound,
    reads: context.reads,
    maxPayloadBytes: context.limits.maxPayloadBytes,
    maxMessages: context.limits.maxMessages,
    durability: context.durability.level,
    onEnded: () => {
      detach(context, connection);
      connection.state = { kind: 'ended' };
    },
    onGone: () => outbound.close(1012, 'service_restart'),
  });
  mark?.bind(reader);
  return {
    kind: 'attached',
    ref,
    session,
    reader,
    feed,
    mark,
    reply,
    hello: frame.type === 'hello' ? helloOk(context, ref, reply) : joined(ref, reply),
  };
}

function refuse(context: EdgeContext, frame: Entering): ServerFrame | undefined {
  const [min, max] =
    frame.type === 'hello'
      ? [frame.protocol_min ?? frame.protocol?.min, frame.protocol_max ?? frame.protocol?.max]
      : [frame.min_version, frame.max_version];
  const low = min ?? PROTOCOL_VERSION;
  const high = max ?? PROTOCOL_VERSION;
  if (low > PROTOCOL_VERSION || high < PROTOCOL_VERSION) {
    const message = `this gateway speaks protocol version ${PROTOCOL_VERSION}, not ${low} to ${high}`;
    if (frame.type === 'join') return errorFrame('version_unsupported', message);
    const next_step = low > PROTOCOL_VERSION ? 'downgrade_client' : 'upgrade_client';
    return helloError('protocol_unsupported', message, { next_step });
  }
  if (!context.hasAgent(frame.agent_id)) {
    const message = `no agent "${frame.agent_id}": see agents in the configuration, or GET /info`;
    return frame.type === 'hello'
      ? helloError('agent_not_found', message, { next_step: 'do_not_retry' })
      : errorFrame('agent_not_found', message);
  }
  return undefined;
}

function tooMuchMetadata({ limits }: EdgeContext, frame: Entering): ServerFrame | undefined {
  if (frame.type !== 'hello' || frame.metadata === undefined) return undefined;
  const { maxMetadataBytes: max } = limits;
  if (Buffer.byteLength(JSON.stringify(frame.metadata)) <= max) return undefined;
  const text = `the metadata of a session has at most ${max} bytes`;
  return errorFrame('payload_too_large', text, { field: 'metadata' });
}

function helloError(
  code: HelloErrorFrame['code'],
  message: string,
  more: Partial<HelloErrorFrame> = {},
): HelloErrorFrame {
  return { type: 'hello_error', code, message, ...more };
}

function wrongAgent(frame: Entering, ref: SessionRef): ServerFrame {
  const message = `session ${ref.sessionId} belongs to another agent; start a new session`;
  return frame.type === 'hello'
    ? helloError('auth_unauthorized', message, { next: 'start_new_session' })
    : errorFrame('auth_unauthorized', message);
}

function rateLimited(
  frame: Entering,
  { why, retryAfterMs }: Pick<EnterReply & { kind: 'rate_limited' }, 'why' | 'retryAfterMs'>,
): ServerFrame {
  if (frame.type === 'join') return errorFrame('rate_limited', why, { retryAfterMs });
  const retry_after_seconds = Math.ceil(retryAfterMs / 1_000);
  return helloError('rate_limited', why, { next_step: 'wait_then_retry', retry_after_seconds });
}

function unavailable(frame: Entering, why: string): ServerFrame {
  const message = `${why}; try again`;
  return frame.type === 'hello'
    ? helloError('unavailable', message, { next_step: 'wait_then_retry', retry_after_seconds: 1 })
    : errorFrame('unavailable', message);
}

type HelloOkRest = Omit<HelloOkFrame, 'type' | 'protocol' | 'features'>;

/** The beginning of `hello_ok` is the same for everybody. */
const helloOkStart = JSON.stringify({
  type: 'hello_ok',
  protocol: PROTOCOL_VERSION,
  features: { methods: clientFrameTypes, events: [...serverFrameTypes, ...streamTypes] },
} satisfies Omit<HelloOkFrame, keyof HelloOkRest>);

function helloOk(context: EdgeContext, ref: SessionRef, reply: AttachedReply): string {
  const { limits } = context;
  const rest: HelloOkRest = {
    policy: {
      max_payload: limits.maxPayloadBytes,
      max_buffered_bytes: limits.maxBufferedBytes,
      max_queued_frames: limits.maxQueuedFrames,
      heartbeat_ms: limits.heartbeatIntervalMs,
    },
    session_id: ref.sessionId,
    resumed: !reply.created,
    cursor: reply.cursor,
    sequence: reply.cursor,
    epoch: reply.epoch,
    oldest_cursor: reply.oldest,
    resync_required: reply.resync,
    pending: reply.pending,
    is_executing: reply.executing,
    paused: reply.isPaused,
    node_id: context.nodeId,
  };
  return `${helloOkStart.slice(0, -1)},${JSON.stringify(rest).slice(1)}`;
}

function joined(ref: SessionRef, reply: AttachedReply): string {
  const frame: JoinedFrame = {
    type: 'joined',
    session_id: ref.sessionId,
    agent_id: reply.agent,
    resumed: !reply.created,
    cursor: reply.cursor,
    oldest_cursor: reply.oldest,
    resync_required: reply.resync,
    sequence: reply.cursor,
    protocol_version: PROTOCOL_VERSION,
    server_min_version: PROTOCOL_VERSION,
    server_max_version: PROTOCOL_VERSION,
    presence: [],
    health: 'ok',
  };
  return JSON.stringify(frame);
}
