import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { monotonicMs } from '@sluice/runtime';
import type { RedisOptions } from 'ioredis';
import { tlsAlert } from '../server/tls-alert.js';

/** Shortest time between two connections, and longest wait on one. */
const EVERY_MS = 1_000;
const LIMIT_MS = 500;

/**
 * The error with which Redis greets a client that it turns away, without its `-`, or its TLS alert; undefined: it says
 * nothing. Nothing is sent here: bytes of ours would meet a closed socket, and its reset takes what was said away.
 */
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
    socket.on('error', (error) => done(tlsAlert(error.message)));
    socket.on('close', () => done());
    socket.once('data', (bytes: Buffer) => {
      const line = bytes.toString('latin1').split('\r\n')[0] ?? '';
      done(line.startsWith('-') ? line.slice(1) : undefined);
    });
  });
}

/** An error of a connection, in the words of Redis where it has said why it ended it. */
export async function explained(options: RedisOptions, error: Error): Promise<Error> {
  const words =
    tlsAlert(error.message) ??
    (/EPIPE|ECONNRESET/.test(error.message) ? await greetingOf(options) : undefined);
  return words === undefined ? error : new Error(words);
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
