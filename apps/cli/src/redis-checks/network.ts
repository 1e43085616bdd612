/** The way between a node and Redis. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsFiles } from '@sluice/store';
import { ok, type RedisCheck, type Verdict, warn } from './check.js';

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

const isHere = (host: string) => /^(localhost|127\..*|\[?::1\]?)$/.test(host);
const clear = warn(
  'no TLS: contents and the password of Redis go over the network in the clear',
  'let Redis listen with TLS, and set redis.url to rediss:// (or redis.sentinel.tls)',
);

export const tls: RedisCheck = {
  name: 'tls',
  judge(_report, { url, tls: files, sentinel }) {
    if (sentinel?.data.tls) return tlsVerdicts(files);
    if (sentinel) return sentinel.nodes.every(({ host }) => isHere(host)) ? [] : [clear];
    if (url.startsWith('unix:') || !URL.canParse(url)) return [];
    const { protocol, hostname } = new URL(url);
    if (protocol === 'rediss:') return tlsVerdicts(files);
    return isHere(hostname) ? [] : [clear];
  },
};

/** Time for somebody to renew a certificate before nodes cannot connect any more. */
const RENEW_DAYS = 14;
const DAY_MS = 86_400_000;

function tlsVerdicts(files: TlsFiles | null): Verdict[] {
  const checked = ok('TLS: the certificate of Redis is checked');
  if (!files?.certFile) return [checked];
  const { validTo } = new X509Certificate(readFileSync(files.certFile));
  const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
  const what = `the client certificate of redis.tls.cert_file expires in ${days} days`;
  const remedy = 'renew it: each new connection reads the file again';
  return [checked, days < RENEW_DAYS ? warn(what, remedy) : ok(what)];
}
