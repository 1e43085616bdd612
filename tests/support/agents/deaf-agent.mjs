import { setTimeout as sleep } from 'node:timers/promises';

/** Ignores its AbortSignal, as an agent that waits for a library without one does. */
export default {
  async *run({ content }) {
    console.log('deaf agent began');
    yield { type: 'delta', content: 'thinking' };
    await sleep(Number(content));
    console.log('deaf agent replied');
    return { content: 'too late' };
  },
  /** Never done: a node must not wait for it. */
  close: () => new Promise(() => {}),
};
