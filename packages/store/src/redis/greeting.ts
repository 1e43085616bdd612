import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { monotonicMs } from '@sluice/runtime';
import type { RedisOptions } from 'ioredis';

/** Not more often, and not longer, than this. */
const EVERY_MS = 1_000;
const LIMIT_MS = 500;

/** What Redis says before anybody asks: it greets only whom it turns away. undefined: nothing. */
export function greetingOf(options: RedisOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { path, host = '127.0.0.1', port = 6379, tls } = options;
    const place = path ? { path } : { host, port };
    const socket: Socket = tls ? connectTls({ ...tls, host, port }) : connect(place);
    const done = (words?: string) => {
      resolve(words);
      socket.destroy();
    };
    socket.setTimeout(LIMIT_MS, () => done());
    socket.on('error', () => done());
    socket.on('close', () => done());
    socket.once('data', (bytes: Buffer) => {
      const line = bytes.toString('latin1').split('\r\n')[0] ?? '';
      done(line.startsWith('-') ? line.slice(1) : undefined);
    });
  });
}

/** Asks for the greeting, at a bounded pace. */
export function makeGreeting(options: RedisOptions) {
  let askedMs = Number.NEGATIVE_INFINITY;
  return (told: (words: string | undefined) => void): void => {
    if (monotonicMs() - askedMs < EVERY_MS) return;
    askedMs = monotonicMs();
    void greetingOf(options).then(told);
  };
}
