import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { monotonicMs } from '@sluice/runtime';
import type { RedisOptions } from 'ioredis';

/** Shortest time between two connections, and longest wait on one. */
const EVERY_MS = 1_000;
const LIMIT_MS = 500;

/** The error with which Redis greets a client that it turns away, without its `-`; undefined: it says nothing. */
export function greetingOf(options: RedisOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { path, host = '127.0.0.1', port = 6379, tls, sentinels } = options;
    if (sentinels) return resolve(undefined); // they know the address
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

/** Asks for the greeting at most once per second; `onGreeting` is not called for a call that is left out. */
export function makeGreeting(options: RedisOptions) {
  let askedMs = Number.NEGATIVE_INFINITY;
  return (onGreeting: (words: string | undefined) => void): void => {
    if (monotonicMs() - askedMs < EVERY_MS) return;
    askedMs = monotonicMs();
    void greetingOf(options).then(onGreeting);
  };
}
