import { decode } from '@sluice/protocol';
import type { Exchange } from '../network/transport.js';

/** Reads the body of a POST as a `message` frame, or as the `abort` that its text asks for; undefined: answered. */
export async function readMessage({ request, reply }: Exchange, maxBytes: number) {
  const body = await request.body(maxBytes);
  if (body === 'aborted') return undefined;
  if (body === 'too_large') {
    reply.error('payload_too_large', `the body exceeds gateway.max_payload (${maxBytes} bytes)`);
    return undefined;
  }
  const decoded = decode(body);
  if (decoded.kind === 'refused') {
    reply.error(decoded.code, decoded.message);
    return undefined;
  }
  const { frame } = decoded;
  if (frame.type === 'message' || frame.type === 'abort') return frame;
  reply.error('invalid_frame', 'the body must be a message: {"content": ...}');
  return undefined;
}
