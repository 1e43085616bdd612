import { isIPv6 } from 'node:net';
import { monotonicMs } from '@sluice/runtime';
import {
  type Bucket,
  principalHash,
  type RateKind,
  type Rates,
  StoreUnavailable,
} from '@sluice/store';
import type { Config } from '../../config/config-types.js';
import { costOfBytes } from './costs.js';
import { type Admittance, makeRateLimit, type RateLimit, unlimited } from './rate-limit.js';

/** What a client reads when it is held to a limit. */
export const TOO_MANY_REQUESTS = 'too many requests (gateway.rate_limit.requests_per_second)';
export const TOO_MANY_MESSAGES = 'too many messages (gateway.rate_limit.messages_per_second)';

/** Takes the cost of something; default: one token. See RateLimit. */
export type Take = (subject: string, cost?: number) => Admittance | Promise<Admittance>;

/** The limits that hold for the whole cluster (X5), by who is limited. */
export type EdgeRates = {
  /** Messages of a principal. */
  readonly message: Take;
  /** Charges a principal for an outcome that was sent again for a repeated message. */
  messageRead(principal: string, bytes: number): void;
  /** Sessions that a principal creates. */
  readonly session: Take;
  /** All other requests of a principal, by their cost (costs.ts). */
  readonly request: Take;
  /** Charges a principal for what it has read. */
  read(principal: string, bytes: number): void;
  /** How long a principal that has read too much must wait for the next large read; 0: not at all. */
  readWaitMs(principal: string): number;
  /** Upgrades from an address. */
  readonly upgrade: Take;
  /** Requests and upgrades from an address whose credentials were refused. */
  readonly unauthenticated: Take;
  /** How long credentials from an address are not looked at; 0: they are. */
  guessWaitMs(address: string): number;
};

const MINUTE_MS = 60_000;

/** Admits everything while Redis is away: what needs Redis is then answered with `unavailable`. */
export async function unlessAway(asked: Admittance | Promise<Admittance>): Promise<Admittance> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return { kind: 'admitted' };
  }
}

export type EdgeRatesOptions = {
  liveNodes(): number;
  /** `subject`: the principal or address. */
  onRefused(kind: RateKind, subject: string): void;
  /** A principal must wait until its earlier reads are paid. */
  onOwed(principal: string): void;
};

/** `rateLimit`: a limit of 0 is none. `onRefused` is called for each refusal. */
export function makeEdgeRates(
  rates: Rates,
  { rateLimit }: Pick<Config['gateway'], 'rateLimit'>,
  { liveNodes, onRefused, onOwed }: EdgeRatesOptions,
): EdgeRates {
  const limit = (
    kind: RateKind,
    bucket: Bucket,
    bySubject: (limit: RateLimit) => RateLimit,
  ): RateLimit => {
    if (bucket.burst === 0 || bucket.fillMs === 0) return unlimited;
    const held = bySubject(
      makeRateLimit({
        bucket,
        draw: (subject, want) => rates.draw(kind, subject, { want, bucket }),
        liveNodes,
        nowMs: monotonicMs,
      }),
    );
    return {
      ...held,
      take(subject, cost) {
        const report = (admittance: Admittance) => {
          if (admittance.kind === 'refused') onRefused(kind, subject);
          return admittance;
        };
        const asked = held.take(subject, cost);
        return asked instanceof Promise ? asked.then(report) : report(asked);
      },
    };
  };
  const perSecond = (rate: number, burst: number): Bucket =>
    rate === 0 ? { burst: 0, fillMs: 0 } : { burst, fillMs: (burst / rate) * 1_000 };
  const perMinute = (burst: number): Bucket => ({ burst, fillMs: MINUTE_MS });
  const { burst, messagesPerSecond, requestBurst, requestsPerSecond } = rateLimit;
  const message = limit('messages', perSecond(messagesPerSecond, burst), byPrincipal);
  const request = limit('requests', perSecond(requestsPerSecond, requestBurst), byPrincipal);
  const session = limit('sessions', perMinute(rateLimit.sessionsPerMinute), byPrincipal);
  const upgrade = limit('upgrades', perMinute(rateLimit.upgradesPerMinute), exceptLoopback);
  const guesses = perMinute(rateLimit.unauthenticatedPerMinute);
  const guess = limit('unauthenticated', guesses, exceptLoopback);
  return {
    message: message.take,
    messageRead: (principal, bytes) => message.charge(principal, costOfBytes(bytes)),
    session: session.take,
    request: request.take,
    read: (principal, bytes) => request.charge(principal, costOfBytes(bytes)),
    readWaitMs: (principal) => {
      const waitMs = request.owesForMs(principal);
      if (waitMs > 0) onOwed(principal);
      return waitMs;
    },
    upgrade: upgrade.take,
    unauthenticated: guess.take,
    guessWaitMs: guess.emptyForMs,
  };
}

/** Keys have the hash of a principal: its name may be long, and is not for everybody. */
function byPrincipal(limit: RateLimit): RateLimit {
  return {
    take: (principal, cost) => limit.take(principalHash(principal), cost),
    charge: (principal, cost) => {
      if (cost > 0) limit.charge(principalHash(principal), cost);
    },
    emptyForMs: (principal) => limit.emptyForMs(principalHash(principal)),
    owesForMs: (principal) => limit.owesForMs(principalHash(principal)),
  };
}

/** Loopback is not limited: a local process could do worse than connect. A local proxy must be a trusted one. */
function exceptLoopback(limit: RateLimit): RateLimit {
  const of = (address: string) => {
    const subject = addressSubject(address);
    const isLocal = subject.startsWith('127.') || subject === LOOPBACK_6;
    return { subject, limit: isLocal ? unlimited : limit };
  };
  return {
    take: (address, cost) => {
      const { subject, limit } = of(address);
      return limit.take(subject, cost);
    },
    charge: (address, cost) => {
      const { subject, limit } = of(address);
      limit.charge(subject, cost);
    },
    emptyForMs: (address) => {
      const { subject, limit } = of(address);
      return limit.emptyForMs(subject);
    },
    owesForMs: () => 0, // nothing is charged to an address
  };
}

const LOOPBACK_6 = '::1';

/** One subject for all addresses of one host: with IPv6 a host has a whole /64. */
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
