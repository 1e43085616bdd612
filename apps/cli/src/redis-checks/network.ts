/** The way between a node and Redis. */
import { ok, type RedisCheck, warn } from './check.js';

/** An ack costs one round trip: 20 ms are noticeable in every message. */
const SLOW_MS = 20;
/** Leases depend on the clock of Redis only; a skew merely misleads people who read logs. */
const SKEW_MS = 1_000;

export const latency: RedisCheck = {
  name: 'latency',
  judge({ latencyMs }) {
    const what = `latency ${latencyMs.toFixed(2)} ms (median of 20)`;
    if (latencyMs < SLOW_MS) return [ok(what)];
    return [warn(what, 'bring the gateway into the network of Redis')];
  },
};

export const clock: RedisCheck = {
  name: 'clock',
  judge({ clockSkewMs }) {
    const what = `clock ${clockSkewMs.toFixed(0)} ms off this machine's`;
    if (Math.abs(clockSkewMs) < SKEW_MS) return [ok(what)];
    return [warn(what, 'set both by NTP, else times in logs and listings mislead')];
  },
};

export const tls: RedisCheck = {
  name: 'tls',
  judge(_report, { url }) {
    if (url.startsWith('unix:') || !URL.canParse(url)) return [];
    const { protocol, hostname } = new URL(url);
    if (protocol === 'rediss:') return [ok('TLS: the certificate of Redis is checked')];
    if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) return [];
    const what = 'no TLS: contents and the password of Redis go over the network in the clear';
    return [warn(what, 'let Redis listen with TLS, and set redis.url to rediss://')];
  },
};
