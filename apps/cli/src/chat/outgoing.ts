import type { Frame } from '../api/frame.js';

export type Item = { readonly kind: 'message'; readonly id: string; readonly content: string };

/** Sent again until the gateway has answered it. An abort stops the message `of`; '': the head. */
export type Outgoing = Item | { readonly kind: 'abort'; readonly id: string; readonly of: string };

export function frameOf(item: Outgoing): Frame {
  if (item.kind === 'message') {
    return { type: 'message', message_id: item.id, content: item.content };
  }
  const named = item.of === '' ? {} : { message_id: item.of };
  return { type: 'abort', reason: 'user', abort_id: item.id, ...named };
}
