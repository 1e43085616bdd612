import { checked, cursorSchema } from '@sluice/protocol';
import { sleep } from '@sluice/runtime';
import { type SessionRef, StoreUnavailable } from '@sluice/store';
import type { Identity } from '../access/identity.js';
import { LogReader } from '../delivery/log-reader.js';
import { fitSnapshot } from '../delivery/snapshot.js';
import type { Exchange, HttpStream } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';

/** How long EventSource waits before it comes back. */
const RETRY_MS = 1_000;
const PACE_MS = 20;

/** Open streams, which end with a drain or with their credential. */
export type OpenStreams = Set<{
  readonly identity: Identity;
  end(reconnectAfterMs: number): void;
}>;

/** `GET /v1/sessions/{id}/events`: the log as Server-Sent Events, `id:` = `epoch:seq`. undefined: it has answered. */
export async function streamEvents(
  context: EdgeContext,
  exchange: Exchange,
  { ref, streams, since }: { ref: SessionRef; streams: OpenStreams; since: number },
): Promise<'not_found' | 'no_room' | undefined> {
  const { reply, request } = exchange;
  const position = positionOf(request.header('last-event-id'), since);
  const known = await context.sessions.place(ref);
  if (!known) return 'not_found';
  if (!context.hasRoom(exchange.identity.principal)) return 'no_room';
  if (reply.aborted) return undefined;
  if (context.isDraining()) {
    // The drain began during the look-up: nothing would end a stream that is opened now (D6).
    reply.error('draining', 'this node is stopping; come again, another one answers');
    return undefined;
  }

  const stream = reply.stream(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  if (request.method === 'HEAD') return undefined; // answered: there is no stream to write to
  context.metrics.replayed(Math.max(0, known.head - position.since));
  stream.write(`retry: ${RETRY_MS}\n\n`);
  const reader = new LogReader(ref, context, {
    from: position.since,
    epoch: position.epoch === '' ? known.epoch : position.epoch,
    maxBytes: context.limits.maxPayloadBytes,
    take: ({ event, type, text }) => {
      send(context, stream, { id: `${event.epoch}:${event.seq}`, type, data: text });
      if (event.kind === 'session_end' && !event.data.continues) finish();
    },
    resynced: (snapshot) => {
      const state = fitSnapshot(snapshot, context.limits.maxPayloadBytes);
      const id = `${state.epoch}:${state.event_cursor}`;
      send(context, stream, {
        id,
        type: 'snapshot',
        data: JSON.stringify({ type: 'snapshot', state }),
      });
    },
    gone: () => finish(),
    broken: () => {
      close();
      stream.cut();
    },
    writable: async () => {
      const half = context.limits.maxBufferedBytes / 2;
      while (!reply.aborted && stream.bufferedBytes() > half) await sleep(PACE_MS);
    },
  });
  const keepAlive = setInterval(
    () => stream.write(': keep-alive\n\n'),
    context.limits.heartbeatIntervalMs,
  );
  const open = {
    identity: exchange.identity,
    end(reconnectAfterMs: number) {
      stream.write(`retry: ${Math.ceil(reconnectAfterMs)}\n\n`);
      finish();
    },
  };
  function close() {
    clearInterval(keepAlive);
    streams.delete(open);
    reader.stop();
  }
  function finish() {
    close();
    stream.end();
  }
  streams.add(open);
  reply.onAborted(close);
  try {
    if (position.since > known.head) await reader.resync(); // beyond the log (E4)
    await reader.start({ sessionId: ref.sessionId, agentId: known.agent });
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    stream.cut(); // the answer has begun: its reader comes back by itself
  }
  return undefined;
}

type ServerSentEvent = { readonly id: string; readonly type: string; readonly data: string };

/** Cuts a reader that does not take what it is sent: it never gets an event after one that it missed. */
function send(context: EdgeContext, stream: HttpStream, { id, type, data }: ServerSentEvent): void {
  const text = `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`;
  const buffered = stream.bufferedBytes();
  if (buffered > 0 && buffered + Buffer.byteLength(text) > context.limits.maxBufferedBytes) {
    context.metrics.slowConsumer();
    return stream.cut();
  }
  stream.write(text);
}

/** `Last-Event-ID` (`epoch:seq`) wins over `?since=`; without either the whole log is sent. */
function positionOf(lastEventId: string, since: number): { since: number; epoch: string } {
  const [, epoch = '', seq] = /^(\d+):(\d+)$/.exec(lastEventId) ?? [];
  const named = checked(cursorSchema, seq);
  return named.success ? { since: named.data, epoch } : { since, epoch: '' };
}
