import type { Content, Mode } from '@sluice/protocol';
import { makeId, randomText } from '@sluice/runtime';
import { type Keys, sessionKeyId } from '../keys/keys.js';
import type { Rings } from '../leases/ring.js';
import type { Connection } from '../redis/connect.js';
import type { MemoryWatch } from '../redis/memory.js';
import { StoreFull } from '../redis/unavailable.js';
import * as scripts from '../script/scripts.js';
import { type EarlierMessage, earlierMessageOf } from './earlier-message.js';
import type { LogEvent } from './event-log.js';
import { encodeBody } from './inbox-entry.js';
import type { PrincipalBytes } from './principal-bytes.js';
import type { SessionRef } from './session-ref.js';

/** Random bytes of a call's id: few, since it must only differ from the few calls that a session remembers. */
const CALL_BYTES = 5;

export type NewMessage = {
  readonly messageId: string;
  readonly content: Content;
  readonly mode: Mode;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly inReplyTo?: string | undefined;
  readonly traceparent?: string | undefined;
};

export type Abort = {
  readonly reason: string;
  readonly messageId?: string | undefined;
  readonly callId?: string | undefined;
};

export type Appended =
  /** `gone`: no such session. `ended`: it was ended. `busy`: mode `reject`, and the inbox is not empty. */
  | { readonly kind: 'gone' | 'ended' | 'busy' }
  /** `limit`: name of the limit that was reached. */
  | { readonly kind: 'full'; readonly limit: string }
  | {
      readonly kind: 'accepted';
      /** When it says `isPaused`, the message waits until its session, or its agent, is resumed. */
      readonly event: LogEvent & { kind: 'accepted' };
    }
  | ({ readonly kind: 'duplicate' } & EarlierMessage);

export type InboxOptions = {
  readonly rings: Rings;
  readonly memory: Pick<MemoryWatch, 'isFull'>;
  readonly bytes: PrincipalBytes;
};

export type Inbox = ReturnType<typeof makeInbox>;

/** Accepting messages into sessions and aborting their turns. Throws StoreUnavailable. */
export function makeInbox(
  connection: Connection,
  keys: Keys,
  { rings, memory, bytes }: InboxOptions,
) {
  return {
    /**
     * Stores the message (S1) and rings unless a live holder has the session. It does not wait for the ring:
     * if that is lost, the sweep finds the session (T7). Throws StoreFull too.
     */
    async append(ref: SessionRef, message: NewMessage): Promise<Appended> {
      if (memory.isFull()) throw new StoreFull();
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const body = encodeBody(message.content, message);
      if (await bytes.isFull(ref.principal, body.length)) {
        return { kind: 'full', limit: 'max_bytes_per_principal' };
      }
      const reply = await connection.run(scripts.inboxAppend, keys.session(id), {
        channel: keys.channel(id),
        node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
        id,
        message_id: message.messageId,
        body,
        mode: message.mode,
        wakes_counted: 1,
        call: makeCallId(),
        turn_id: makeId('turn'),
      });
      if (reply.kind === 'duplicate') {
        if (reply.ring !== '') rings.ring(id, reply.ring);
        return { kind: 'duplicate', ...earlierMessageOf(reply, message.messageId) };
      }
      if (reply.kind !== 'accepted') return reply;
      if (reply.ring !== '') {
        const free = reply.free && { ...reply.free, principal: ref.principal };
        rings.ring(id, reply.ring, { free });
      }
      const { seq, epoch, atMs, position, isPaused, isLogged } = reply;
      const { messageId, mode } = message;
      const sent = isLogged ? { body, mode } : {};
      return {
        kind: 'accepted',
        event: { kind: 'accepted', seq, epoch, atMs, messageId, position, isPaused, ...sent },
      };
    },

    /** Cancels a message that was not started. */
    cancel(ref: SessionRef, messageId: string): Promise<'not_found' | 'not_pending' | 'cancelled'> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      return connection.run(scripts.messageCancel, keys.session(id), {
        channel: keys.channel(id),
        id,
        message_id: messageId,
      });
    },

    /**
     * Aborts the message that is named, or the head if none is (T6). `callId` is the client's own id of the
     * abort: a repeat gets the first answer.
     */
    async abort(
      ref: SessionRef,
      { reason, messageId = '', callId = makeCallId() }: Abort,
    ): Promise<scripts.AbortReply> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const reply = await connection.run(scripts.turnAbort, keys.session(id), {
        channel: keys.channel(id),
        node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
        id,
        call: callId,
        message_id: messageId,
        reason,
      });
      if (reply.kind === 'aborted' && reply.ring !== '') rings.ring(id, reply.ring);
      return reply;
    },
  };
}

const makeCallId = () => randomText(CALL_BYTES);
