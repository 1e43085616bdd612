import { sleep } from '@sluice/runtime';
import type { EchoConfig } from './port/config.js';
import type { Agent } from './port/port.js';

/** Answers `echo: <content>` (objects as JSON) after `delayMs`; for demos and tests. */
export function makeEcho({ delayMs, stream }: EchoConfig): Agent {
  return {
    usesHistory: false,
    async *run(turn, { signal }) {
      if (delayMs > 0) await sleep(delayMs, signal);
      signal.throwIfAborted();
      const { content } = turn;
      const reply = `echo: ${typeof content === 'string' ? content : JSON.stringify(content)}`;
      if (stream) {
        // Each piece keeps the blanks after its word: the pieces joined are the reply.
        for (const word of reply.match(/\S+\s*/g) ?? []) {
          yield { type: 'delta', content: word };
          signal.throwIfAborted();
        }
      }
      return { content: reply };
    },
  };
}
