import { connect } from 'node:net';

/**
 * Sends one command to a Redis and returns the first reply as it came, without its line end; a bulk reply
 * whole. `at` is `{ path }` or `{ port, host }`. Rejects when no reply comes within `ms`; resolves with ''
 * when the connection ends without a reply, as after SHUTDOWN.
 */
export function ask(at, words, ms = 1_000) {
  return new Promise((resolve, reject) => {
    const socket = connect(at);
    let reply = '';
    const finish = (settle, value) => {
      socket.destroy();
      settle(value);
    };
    socket.setTimeout(ms, () => finish(reject, new Error(`no answer from Redis within ${ms} ms`)));
    socket.once('error', (error) => finish(reject, error));
    socket.once('close', () => resolve(reply.trim()));
    socket.on('data', (chunk) => {
      reply += chunk.toString('latin1');
      const size = /^\$(\d+)\r\n/.exec(reply);
      const complete = size
        ? reply.length >= size[0].length + Number(size[1]) + 2
        : reply.includes('\r\n');
      if (complete) finish(resolve, reply.trim());
    });
    const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    socket.write(`*${words.length}\r\n${bulk.join('')}`);
  });
}
