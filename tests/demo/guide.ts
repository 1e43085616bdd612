import { sleep } from '@sluice/runtime';
import type { Behaviour } from '@sluice/testkit';

/** The replies of the agent, one sentence per message; at most 60 characters fit the picture. */
export const sentences = [
  'Your message is in Redis before you hear that it was taken.',
  'Replies come one at a time, in the order in which you asked.',
  'Any node can serve any session: none of them keeps a thing.',
  'If my node dies now, another one starts this sentence again.',
  'It only had to wait until the lease of the dead one ran out.',
  'If your connection breaks, your cursor brings what you missed.',
  'Nothing comes twice either: each event has its own number.',
  'A node that is told to stop finishes its sentence first.',
  'Then it hands the session on, without waiting for a lease.',
  'A node that slept too long is refused: its fence is too old.',
  'This message was sent twice under one id, and executed once.',
  'That was the last reply. Now the whole history is checked.',
] as const;

export const idOf = (number: number) => `m${number}`;
export const numberOf = (messageId: string) => Number(messageId.slice(1));

const firstWordMs = 250;
const wordMs = 115;

/** Points at which the agent waits for the story. */
export type Cues = {
  /** A node began a turn; the agent speaks when this resolves. */
  began(turn: { readonly messageId: string; readonly node: string }): Promise<void>;
  /** The agent is about to say this word, counted from 1; it says it when this resolves. */
  beforeWord(messageId: string, word: number): Promise<void>;
};

/** Speaks word by word, slowly enough to be interrupted in a sentence. */
export function makeGuide(node: string, cues: Cues): Behaviour {
  return async ({ message_id: messageId }, { respond, signal }) => {
    const sentence = sentences[numberOf(messageId) - 1] ?? '';
    const writer = respond.stream('ndjson');
    await cues.began({ messageId, node });
    await sleep(firstWordMs, signal);
    let word = 0;
    for (const text of sentence.match(/\S+\s*/g) ?? []) {
      word += 1;
      await cues.beforeWord(messageId, word);
      await sleep(wordMs, signal);
      if (signal.aborted) return;
      writer.delta(text);
    }
    writer.final(sentence);
  };
}
