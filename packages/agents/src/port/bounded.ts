import { type AgentEvent, type Reply, TerminalError } from './port.js';

/**
 * Reasoning and tool events of one turn may be this many times as large as a reply. The event log holds
 * as much by default: a turn that streamed more would push its own beginning out of the log.
 */
const STREAM_REPLIES = 8;

/** Limits the output of one turn; both functions throw TerminalError `reply_too_large` above the limit. */
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
