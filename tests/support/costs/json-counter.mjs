/**
 * Preloaded into a node by NODE_OPTIONS: counts its calls of JSON.parse and JSON.stringify, and answers both
 * numbers to whoever connects to the socket that JSON_COUNTER names.
 */
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const counts = { parse: 0, stringify: 0 };
if (isMainThread) {
  for (const name of Object.keys(counts)) {
    const real = JSON[name];
    JSON[name] = (...args) => {
      counts[name] += 1;
      return real(...args);
    };
  }
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${counts.parse} ${counts.stringify}`);
  })
    .listen(process.env.JSON_COUNTER)
    .unref();
}
