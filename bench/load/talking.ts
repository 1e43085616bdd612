import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { builtFile } from '../programs/child.js';
import type { TalkMark, TalkOptions } from './talk.js';

export type Talking = {
  /** Returns the results since the last call. */
  mark(): Promise<TalkMark>;
  stop(): Promise<void>;
};

/** Starts load/talk.ts in a thread; it talks until it is stopped. */
export async function startTalking(options: TalkOptions): Promise<Talking> {
  const thread = new Worker(builtFile('load/talk'), { workerData: options });
  await once(thread, 'message');
  return {
    mark: async () => {
      const answer = once(thread, 'message');
      thread.postMessage('mark');
      const [mark] = await answer;
      return mark;
    },
    stop: async () => void (await thread.terminate()),
  };
}
