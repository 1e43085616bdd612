import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** A `command` agent whose process dies of one message, and answers any other after a while. */
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { type, turn_id, content } = JSON.parse(line);
  if (type !== 'turn') return;
  if (content === 'die') process.kill(process.pid, 'SIGKILL');
  console.log('thinking');
  await sleep(Number(content));
  console.log(JSON.stringify({ turn_id, type: 'final', content: 'well' }));
});
