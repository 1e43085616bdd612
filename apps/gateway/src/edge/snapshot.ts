import type { SessionState } from '@sluice/protocol';

/** The persisted shape with the newest messages that fit `maxBytes` of JSON (B1). */
export function fitSnapshot(state: SessionState, maxBytes: number): SessionState {
  const { events: _, ...rest } = state;
  const sizes = rest.messages.map((message) => Buffer.byteLength(JSON.stringify(message)) + 1);
  const bare = Buffer.byteLength(JSON.stringify({ ...rest, messages: [], truncated: true }));
  let kept = 0;
  let bytes = bare;
  while (kept < sizes.length) {
    bytes += sizes[sizes.length - 1 - kept] ?? 0;
    if (bytes > maxBytes) break;
    kept++;
  }
  if (kept === sizes.length) return rest;
  return { ...rest, messages: rest.messages.slice(sizes.length - kept), truncated: true };
}
