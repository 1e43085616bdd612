import { type AgentEvent, type Reply, TerminalError } from './port.js';

/**
 * What a turn streams beside its reply (reasoning, tool events) has so many times the room of a reply. The
 * event log holds as much by default: a turn that streams more pushes its own beginning out of it.
 */
const STREAM_REPLIES = 8;

/** Holds one turn to the size of a reply, streamed or whole: a longer one is `reply_too_large`. */
export function replyRoom(maxBytes: number) {
  let replyBytes = 0;
  let otherBytes = 0;
  return {
    event(event: AgentEvent): void {
      if (event.type === 'delta') {
        replyBytes += Buffer.byteLength(event.content);
        refuseOver(replyBytes, maxBytes);
      } else {
        otherBytes += sizeOf(event);
        refuseOver(otherBytes, STREAM_REPLIES * maxBytes);
      }
    },
    reply: ({ content }: Reply) => refuseOver(Buffer.byteLength(content), maxBytes),
  };
}

function sizeOf(event: Exclude<AgentEvent, { type: 'delta' }>): number {
  if (event.type === 'reasoning') return Buffer.byteLength(event.content);
  return Buffer.byteLength(JSON.stringify(event.tool_call) ?? '');
}

function refuseOver(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new TerminalError('reply_too_large');
}
