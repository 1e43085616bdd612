import { setTimeout as sleep } from 'node:timers/promises';

/** The process that runs it dies of one message; any other is answered after a while. */
export default {
  async *run({ content }, { signal }) {
    if (content === 'die') process.kill(process.pid, 'SIGKILL');
    await sleep(Number(content), undefined, { signal });
    yield { type: 'delta', content: 'well' };
    return { content: 'well' };
  },
};
