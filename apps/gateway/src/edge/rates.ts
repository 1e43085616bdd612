import { isIPv6 } from 'node:net';
import { monotonicMs } from '@sluice/runtime';
import { type Bucket, principalHash, type RateKind, type Rates } from '@sluice/store';
import type { Config } from '../config-types.js';
import { type Admittance, makeRateLimit, type RateLimit } from './rate-limit.js';

/** The limits that hold for the whole cluster (X5), by who is limited. */
export type EdgeRates = {
  /** Messages of a principal. */
  readonly message: RateLimit;
  /** Sessions that a principal creates. */
  readonly session: RateLimit;
  /** Upgrades from an address. */
  readonly upgrade: RateLimit;
  /** Upgrades from an address whose credentials were refused. */
  readonly unauthenticated: RateLimit;
};

const MINUTE_MS = 60_000;

const unlimited: RateLimit = () => ({ kind: 'admitted' });

export function makeEdgeRates(
  rates: Rates,
  { rateLimit }: Pick<Config['gateway'], 'rateLimit'>,
  { liveNodes, onRefused }: { liveNodes(): number; onRefused(kind: RateKind): void },
): EdgeRates {
  const limit = (kind: RateKind, perFill: number, fillMs: number): RateLimit => {
    if (perFill === 0) return unlimited;
    const bucket: Bucket = { burst: perFill, fillMs };
    const held = makeRateLimit({
      bucket,
      draw: (subject, want) => rates.draw(kind, subject, { want, bucket }),
      liveNodes,
      nowMs: monotonicMs,
    });
    const told = (admittance: Admittance) => {
      if (admittance.kind === 'refused') onRefused(kind);
      return admittance;
    };
    return (subject) => {
      const asked = held(subject);
      return asked instanceof Promise ? asked.then(told) : told(asked);
    };
  };
  const { burst, messagesPerSecond } = rateLimit;
  const message =
    messagesPerSecond === 0
      ? unlimited
      : limit('messages', burst, (burst / messagesPerSecond) * 1_000);
  const session = limit('sessions', rateLimit.sessionsPerMinute, MINUTE_MS);
  const upgrade = limit('upgrades', rateLimit.upgradesPerMinute, MINUTE_MS);
  const refused = limit('unauthenticated', rateLimit.unauthenticatedPerMinute, MINUTE_MS);
  return {
    message: (principal) => message(principalHash(principal)),
    session: (principal) => session(principalHash(principal)),
    upgrade: exceptLoopback(upgrade),
    unauthenticated: exceptLoopback(refused),
  };
}

/** Who is on the machine itself could do worse than connect; proxies there must be named as trusted. */
function exceptLoopback(limit: RateLimit): RateLimit {
  return (address) => {
    const subject = addressSubject(address);
    return subject.startsWith('127.') || subject === LOOPBACK_6 ? unlimited('') : limit(subject);
  };
}

const LOOPBACK_6 = '::1';

/** One subject for all addresses of one host: of IPv6 a host has a whole /64. */
export function addressSubject(address: string): string {
  if (!isIPv6(address)) return address;
  const hex = new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname.slice(1, -1); // shortest form
  if (hex === LOOPBACK_6) return hex;
  const [head = '', tail] = hex.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const all = [...groups, ...Array(8 - groups.length - after.length).fill('0'), ...after];
  if (all.slice(0, 5).every((group) => group === '0') && all[5] === 'ffff') {
    const bytes = all.slice(6).flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    });
    return bytes.join('.'); // IPv4, mapped
  }
  return `${all.slice(0, 4).join(':')}::/64`;
}
