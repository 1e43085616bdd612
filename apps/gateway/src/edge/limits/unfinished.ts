import { atMostEvery, type Logger, monotonicMs } from '@sluice/runtime';

const LOOK_MS = 100;
/** Memory of a connection that keeps nothing: 10 KiB were measured, most of it outside of the heap. */
const CONNECTION_BYTES = 16 * 1024;
/** From this share of the limit on, connections are cut instead of closed with a code. */
const PRESSED_SHARE = 0.5;
/** Connections are cut until this share of the limit is in use, so that the next frame does not begin it anew. */
const LEFT_SHARE = 0.75;
/** A connection that is younger may still say `hello`: clients that are not hostile do it sooner. */
const SILENT_MIN_MS = 250;
/** How long the memory of a connection that was cut without `hello` may take to go back to the system. */
const SILENT_REST_MS = 5_000;
/** In that time only principals are cut whose connections can hold this share of the limit. */
const SMALL_SHARE = 1 / 8;
/** Connections that are cut together; then the memory is measured again. */
const BATCH = 8;
/** If a batch held less than this per connection, other connections of its principal are spared. */
const HELD_MIN_BYTES = 64 * 1024;
/** After this many connections with `hello` were cut in vain, the memory must belong to something else. */
const SPARED_BEHIND = 32;
const TOLD_MS = 10_000;

/** A WebSocket. The library may keep the beginning of a message that it sends. */
export type Holder = {
  /** '' before it is admitted. */
  readonly principal: string;
  readonly hasGreeted: boolean;
  readonly openedMs: number;
  cut(): void;
};

export type UnfinishedOptions = {
  /** In the order in which they were opened. */
  readonly holders: ReadonlySet<Holder>;
  readonly maxBytes: number;
  /** The most that one connection can hold. */
  readonly maxHeldBytes: number;
  /** Bytes outside of the heap that are counted elsewhere. */
  countedBytes(): number;
  /** Bytes of this process outside of the heap; default: as the system says. */
  readonly memoryBytes?: () => number;
  readonly nowMs?: () => number;
  /** Whether freed memory goes back to the system at once, so that it can be measured. */
  readonly isExact?: boolean;
  readonly log: Logger;
};

/**
 * Bounds what the library keeps of messages that have not arrived in full. It does not say how much that is, and keeps
 * the room of a large message until its connection is over. So the memory of the process is measured. Beyond the limit
 * connections are cut in batches, and what a batch gave back shows whether it held that memory. Connections without
 * `hello` go first, then those of the principal that has most of them, the youngest first.
 */
export function startUnfinished(options: UnfinishedOptions): Unfinished & { stop(): void } {
  const { look, isPressed } = makeUnfinished(options);
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return { isPressed, stop: () => clearInterval(timer) };
}

export type Unfinished = {
  /**
   * Whether the memory in use is high. Then connections are to be cut: one that is closed with a code keeps what it
   * holds until its peer closes too, and we cannot end it any more.
   */
  isPressed(): boolean;
};

/** The same without a timer: each `look` measures, and cuts if it must. */
export function makeUnfinished(options: UnfinishedOptions): Unfinished & { look(): void } {
  const { holders, maxBytes, maxHeldBytes, countedBytes, log } = options;
  const { memoryBytes = outsideOfHeap, nowMs = monotonicMs } = options;
  const { isExact = process.env.MALLOC_MMAP_THRESHOLD_ !== undefined } = options;
  const dueTells = atMostEvery(TOLD_MS);
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
    // Never below half: memory that the heap has reserved but not used makes the rest look smaller than it is.
    floor = Math.max(atStart / 2, Math.min(floor, memoryBytes()));
    const bytes = excess();
    pressed = bytes > maxBytes * PRESSED_SHARE;
    if (bytes <= maxBytes) return;
    cutSilent();
    if (isRelieved()) return;
    if (isExact) cutGreeted();
    else if (!isResting()) accept();
  }

  /** Connections without `hello` would be closed soon anyway (`hello_timeout`). Their memory may go back later. */
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

  /** No connection holds this memory: count it as normal, so that nothing is cut before it grows again. */
  function accept(): void {
    floor += excess() - maxBytes * LEFT_SHARE;
  }

  function isResting(): boolean {
    return nowMs() - silentCutMs < SILENT_REST_MS;
  }

  /** Returns the bytes that were given back. */
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

/** The connections that said `hello`, by principal; the principal with most of them comes first. */
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
