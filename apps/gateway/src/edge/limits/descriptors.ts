import { readdirSync, readFileSync } from 'node:fs';
import { monotonicMs } from '@sluice/runtime';

/** For Redis, agents, the operators' listener and files, however many clients there are. */
const RESERVE_MAX = 128;
const RESERVE_SHARE = 0.25;
/** Of what clients may have, what WebSockets and streams leave to short requests, such as probes. */
const REQUESTS_SHARE = 0.1;
const REQUESTS_MAX = 256;
/** While they are used up the system is asked so often: 20,000 descriptors take 5 ms to count. */
const LOOK_MS = 100;
/** An episode is over when so much of what clients may use is free again. */
const SETTLED_SHARE = 0.1;

/** The open files of this process; `Infinity` where the system does not tell. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** How many clients may have of them. */
function roomForClients(limit: number): number {
  return limit - Math.floor(Math.min(RESERVE_MAX, limit * RESERVE_SHARE));
}

/** How many WebSockets and streams there may be. */
export function roomForConnections(limit: number): number {
  const room = roomForClients(limit);
  return Math.ceil(room - Math.min(REQUESTS_MAX, room * REQUESTS_SHARE));
}

/**
 * Counts what this process has open. What a look at the system found, and every connection since, is never
 * too low: a close is not heard of in all cases, and comes with the next look.
 */
export class Descriptors {
  readonly #room: number;
  #used = 0;
  #lookAtMs = 0;

  constructor(
    readonly limit = openFilesLimit(),
    private readonly look = () => readdirSync('/dev/fd').length,
  ) {
    this.#room = roomForClients(limit);
  }

  get used(): number {
    return this.#used;
  }

  /** One more connection; false: there is no room for it. */
  accepted(): boolean {
    this.#used += 1;
    if (this.#used <= this.#room) return true;
    this.#used -= 1;
    const now = monotonicMs();
    if (now < this.#lookAtMs) return false;
    this.#lookAtMs = now + LOOK_MS;
    this.#used = this.look();
    return this.#used <= this.#room;
  }

  isSettled(): boolean {
    this.#used = this.look();
    return this.#used < this.#room * (1 - SETTLED_SHARE);
  }
}
