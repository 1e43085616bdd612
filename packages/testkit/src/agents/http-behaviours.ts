import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { sleep } from '@sluice/runtime';
import type { Behaviour, HttpTurn } from './http-agent.js';
import type { StreamFormat } from './respond.js';

/** Text of the reply to a turn. */
export type ReplyTo = (turn: HttpTurn) => string;

const echoOf: ReplyTo = ({ content }) =>
  `echo: ${typeof content === 'string' ? content : JSON.stringify(content)}`;

export type StreamOptions = {
  readonly format: StreamFormat;
  readonly deltas: readonly string[];
  /** Pause before each delta and before the final; default none. */
  readonly everyMs?: number;
};

/** Ready-made behaviours of an HTTP agent; those that wait end early when the gateway hangs up. */
export const httpBehaviours = {
  /** Answers as JSON after `ms`. */
  delayMs:
    (ms: number, reply = echoOf): Behaviour =>
    async (turn, { signal, respond }) => {
      await sleep(ms, signal);
      if (!signal.aborted) respond.json({ content: reply(turn) });
    },

  /** Streams the deltas one by one; the final has all of them joined. */
  stream:
    ({ format, deltas, everyMs = 0 }: StreamOptions): Behaviour =>
    async (_turn, { signal, respond }) => {
      const writer = respond.stream(format);
      for (const delta of deltas) {
        if (everyMs > 0) await sleep(everyMs, signal);
        if (signal.aborted) return;
        writer.delta(delta);
      }
      if (everyMs > 0) await sleep(everyMs, signal);
      if (!signal.aborted) writer.final(deltas.join(''));
    },

  /** Refuses the first `times` turns with `status`, then behaves as `then`. */
  fail: (
    { status, times = Number.POSITIVE_INFINITY, retryAfter }: FailOptions,
    then: Behaviour = httpBehaviours.delayMs(0),
  ): Behaviour => {
    let left = times;
    return (turn, context) => {
      if (left-- <= 0) return then(turn, context);
      context.respond.status(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    };
  },

  /** Takes the turn and never answers; ends when the connection does. */
  hang:
    (): Behaviour =>
    async (_turn, { signal }) => {
      if (signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },

  /** Streams the deltas and then cuts the connection. */
  breakStream:
    ({ format, deltas }: StreamOptions): Behaviour =>
    async (_turn, { respond }) => {
      const writer = respond.stream(format);
      for (const delta of deltas) writer.delta(delta);
      // The data must leave the process before the socket is destroyed.
      await turnOfLoop();
      respond.break();
    },
};

export type FailOptions = {
  readonly status: number;
  /** Default: always. */
  readonly times?: number;
  /** Value of the `Retry-After` header. */
  readonly retryAfter?: string;
};
