import { type Frame, numberOf, textOf } from '../api/frame.js';

/** One thing for the terminal or the socket to do; effects are carried out in order. */
export type Effect =
  | { readonly do: 'send'; readonly frame: Frame }
  | { readonly do: 'stream'; readonly text: string }
  /** The streamed part of the running reply is void. */
  | { readonly do: 'discard' }
  | { readonly do: 'reply'; readonly reply: Reply }
  | { readonly do: 'notice'; readonly text: string }
  /** Call `retry` after a pause that grows with `tries`. */
  | { readonly do: 'retry'; readonly tries: number }
  /** Close this connection and connect again, after `afterMs` at the earliest. */
  | { readonly do: 'reconnect'; readonly afterMs: number }
  | { readonly do: 'end'; readonly status: number; readonly text: string };

export type Reply = {
  readonly content: string;
  readonly outcome: string;
  readonly reason: string;
  /** The part of the reply that the terminal already shows. */
  readonly streamed: string;
  /** It answers a message of this conversation, not of another connection. */
  readonly own: boolean;
};

/** Codes of refusals that are temporary. */
const passing = ['rate_limited', 'unavailable'];

/** A refused `hello`: come back later, or give up with the gateway's own words. */
export function onHelloError(frame: Frame): Effect[] {
  const code = textOf(frame, 'code');
  const text = `${textOf(frame, 'message') || code} (${code})`;
  if (passing.includes(code)) {
    const afterMs = 1_000 * (numberOf(frame, 'retry_after_seconds') || 1);
    return [
      { do: 'notice', text },
      { do: 'reconnect', afterMs },
    ];
  }
  return [{ do: 'end', status: 1, text }];
}
