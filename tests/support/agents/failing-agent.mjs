import { TerminalError } from './failing-errors.mjs';

/** Fails in the way that its message names. */
export default {
  usesHistory: false,
  async *run({ content }) {
    yield { type: 'delta', content: 'so far' };
    if (content.startsWith('throw')) throw new RangeError(`db://admin:pw@10.0.0.1: ${content}`);
    if (content === 'say') throw new TerminalError('ask about something else');
    yield { type: 'error', message: 'no parcel has this number' };
    return { content: 'never' };
  },
};
