import { type Logger, monotonicMs, seldom } from '@sluice/runtime';

const LOOK_MS = 100;
/** What a connection takes that keeps nothing: measured 10 KiB, most of it outside of the heap. */
const CONNECTION_BYTES = 16 * 1024;
/** From so much of the limit on, connections are not closed with a code but cut. */
const PRESSED_SHARE = 0.5;
/** Cut until so much of the limit is left, so that the next frame does not begin it anew. */
const LEFT_SHARE = 0.75;
/** A client that is not hostile says `hello` sooner. */
const SILENT_MIN_MS = 250;
/** For so long after a connection without `hello` was cut, what it held may not have gone back. */
const SILENT_REST_MS = 5_000;
/** A principal whose connections cannot hold so much of the limit is not looked at in that time. */
const SMALL_SHARE = 1 / 8;
/** Connections that are cut before it is looked what they held. */
const BATCH = 8;
/** A batch that held less than this each held nothing: others of the same principal are spared. */
const HELD_MIN_BYTES = 64 * 1024;
/** So many connections that said `hello` are cut for nothing, then the memory is somebody else's. */
const SPARED_BEHIND = 32;
const TOLD_MS = 10_000;

/** A WebSocket, of which the library may keep the beginning of a message. */
export type Holder = {
  /** '' while nobody knows whose it is. */
  readonly principal: string;
  readonly hasGreeted: boolean;
  readonly openedMs: number;
  cut(): void;
};

export type UnfinishedOptions = {
  /** The oldest first. */
  readonly holders: ReadonlySet<Holder>;
  readonly maxBytes: number;
  /** The most that one connection can hold. */
  readonly maxHeldBytes: number;
  /** Memory outside of the heap that is counted elsewhere. */
  countedBytes(): number;
  /** Memory of this process outside of the heap. */
  readonly memoryBytes?: () => number;
  readonly nowMs?: () => number;
  /** Whether what is freed goes back to the system at once, so that it can be seen. */
  readonly isExact?: boolean;
  readonly log: Logger;
};

/**
 * Bounds what the library keeps of messages that have not arrived in full. It has no word of how much that is,
 * and keeps the room of a large message until its connection is over: so the memory of the process is looked
 * at. Beyond the limit connections are cut, and what each batch gave back shows whether they were the ones.
 * First go those that said no `hello`, then those of the principal that has most, the youngest first.
 */
export function startUnfinished(options: UnfinishedOptions): Unfinished & { stop(): void } {
  const { look, isPressed } = makeUnfinished(options);
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return { isPressed, stop: () => clearInterval(timer) };
}

export type Unfinished = {
  /**
   * Much is held: a connection that is closed with a code keeps what it holds until its peer closes too, out
   * of our reach. So it is to be cut.
   */
  isPressed(): boolean;
};

export function makeUnfinished(options: UnfinishedOptions): Unfinished & { look(): void } {
  const { holders, maxBytes, maxHeldBytes, countedBytes, log } = options;
  const { memoryBytes = outsideOfHeap, nowMs = monotonicMs } = options;
  const { isExact = process.env.MALLOC_MMAP_THRESHOLD_ !== undefined } = options;
  const dueTells = seldom(TOLD_MS);
  const tell = (cut: Cut) => {
    const tells = dueTells();
    if (tells === 0) return;
    const more = tells - 1;
    log.warn({ ...cut, more }, 'connections cut: too much of unfinished messages was in memory');
  };
  const atStart = memoryBytes();
  let floor = atStart;
  const excess = () => memoryBytes() - floor - countedBytes() - holders.size * CONNECTION_BYTES;
  let silentCutMs = Number.NEGATIVE_INFINITY;
  let pressed = false;
  const isRelieved = () => excess() <= maxBytes * LEFT_SHARE;

  function look(): void {
    // Not below: what the heap has reserved and not used yet makes the rest look smaller than it is.
    floor = Math.max(atStart / 2, Math.min(floor, memoryBytes()));
    const bytes = excess();
    pressed = bytes > maxBytes * PRESSED_SHARE;
    if (bytes <= maxBytes) return;
    cutSilent();
    if (isRelieved()) return;
    if (isExact) cutGreeted();
    else if (!isResting()) accept();
  }

  /** Whoever they are, they go soon (`hello_timeout`). What they held may go back to the system later. */
  function cutSilent(): void {
    const latestMs = nowMs() - SILENT_MIN_MS;
    const silent = [...holders].filter((one) => !one.hasGreeted && one.openedMs <= latestMs);
    while (silent.length > 0 && !isRelieved()) {
      cut('', silent.splice(-BATCH));
      silentCutMs = nowMs();
    }
  }

  function cutGreeted(): void {
    let spared = 0;
    for (const [principal, members] of groupsOf(holders)) {
      if (isResting() && members.length * maxHeldBytes < maxBytes * SMALL_SHARE) return;
      while (members.length > 0 && spared < SPARED_BEHIND) {
        const batch = members.splice(-BATCH);
        const freed = cut(principal, batch);
        if (isRelieved()) return;
        if (freed >= batch.length * HELD_MIN_BYTES) continue;
        spared += batch.length;
        break;
      }
    }
    accept();
  }

  /** It is nothing that connections hold: not tried again before it grows. */
  function accept(): void {
    floor += excess() - maxBytes * LEFT_SHARE;
  }

  function isResting(): boolean {
    return nowMs() - silentCutMs < SILENT_REST_MS;
  }

  /** Returns what they held. */
  function cut(principal: string, batch: readonly Holder[]): number {
    const before = memoryBytes();
    for (const holder of batch) holder.cut();
    const freed = before - memoryBytes();
    tell({ principal, connections: batch.length, freed });
    return freed;
  }

  return { look, isPressed: () => pressed };
}

type Cut = { readonly principal: string; readonly connections: number; readonly freed: number };

/** Those that said `hello`, by principal; whoever has most of them first. */
function groupsOf(holders: Iterable<Holder>): [string, Holder[]][] {
  const groups = new Map<string, Holder[]>();
  for (const holder of holders) {
    if (!holder.hasGreeted) continue;
    const members = groups.get(holder.principal) ?? [];
    members.push(holder);
    groups.set(holder.principal, members);
  }
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}

function outsideOfHeap(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return rss - heapTotal - external;
}
