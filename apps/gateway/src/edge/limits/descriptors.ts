import { readdirSync, readFileSync } from 'node:fs';
import { monotonicMs } from '@sluice/runtime';

/** Kept free of clients, for Redis, agents, the operators' listener and files: the smaller of the two. */
const RESERVE_MAX = 128;
const RESERVE_SHARE = 0.25;
/** What WebSockets and streams leave to short requests, such as probes: the smaller of the two. */
const REQUESTS_SHARE = 0.1;
const REQUESTS_MAX = 256;
/** How often the system is asked while they are used up: 20,000 descriptors take 5 ms to count. */
const LOOK_MS = 100;
/** An episode is over when this share of what clients may use is free again. */
const SETTLED_SHARE = 0.1;

/** How many files this process may have open; `Infinity` where the system does not tell. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** How many of `limit` open files clients may use. */
function roomForClients(limit: number): number {
  return limit - Math.floor(Math.min(RESERVE_MAX, limit * RESERVE_SHARE));
}

/** How many WebSockets and streams there may be with `limit` open files. */
export function roomForConnections(limit: number): number {
  const room = roomForClients(limit);
  return Math.ceil(room - Math.min(REQUESTS_MAX, room * REQUESTS_SHARE));
}

/**
 * Counts the open files of this process: what the last look at the system found, and every connection since. That is
 * never too low. Not every close is reported: those show at the next look.
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

  /** Counts one more connection; false: there is no room for it, and it is not counted. */
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

  /** Looks at the system: whether enough is free again for an episode to be over. */
  isSettled(): boolean {
    this.#used = this.look();
    return this.#used < this.#room * (1 - SETTLED_SHARE);
  }
}
