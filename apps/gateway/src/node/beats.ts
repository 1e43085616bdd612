import { monotonicMs } from '@sluice/runtime';
import { BEAT_MS, jsonObject, LIVE_MS, type NodeBeat } from '@sluice/store';

/** What the beats of a node say of it. */
export type SeenNode = {
  readonly node: string;
  readonly status: string;
  readonly agents: readonly string[];
  readonly process: string;
  /** When its beat changed last, by the monotonic clock of this process. */
  readonly changedMs: number;
};

type Seen = SeenNode & {
  readonly beatAtMs: number;
  /** Slots of `worker.concurrency` that were free when it beat, less those that were counted on since. */
  free: number;
};

/**
 * The nodes that beat. Beats are dated by the clock of Redis, which may be set. So a node is judged by when this
 * process sees its beat change. Only for a node that is seen for the first time the date has to do.
 */
export class Beats {
  private seen = new Map<string, Seen>();
  /** When the last answer came: while Redis is away no node changes its state. */
  private heardMs = 0;

  heard(beats: readonly NodeBeat[], redisNowMs: number): void {
    this.heardMs = monotonicMs();
    this.seen = new Map(
      beats.map((beat) => {
        const beatAtMs = redisNowMs - beat.ageMs;
        const before = this.seen.get(beat.node);
        const isSame = before?.beatAtMs === beatAtMs;
        const changedMs = isSame ? before.changedMs : this.heardMs - agoMs(beat, !before);
        const about = aboutOf(beat);
        const free = isSame ? before.free : about.free;
        return [beat.node, { ...beat, ...about, beatAtMs, changedMs, free }];
      }),
    );
  }

  /** Nodes whose beat is no older than `ms`. */
  within(ms: number): SeenNode[] {
    return [...this.seen.values()].filter((seen) => this.isWithin(seen, ms));
  }

  /**
   * Takes one of the slots that a worker with this agent, other than `self`, had free at its last beat. False: none is
   * left. So no more sessions go to a node on one beat than it told of free slots.
   */
  takeRoom(agent: string, self: string): boolean {
    for (const seen of this.seen.values()) {
      const isOther = seen.node !== self && seen.status === 'worker';
      if (!isOther || seen.free <= 0 || !seen.agents.includes(agent)) continue;
      if (!this.isWithin(seen, LIVE_MS)) continue;
      seen.free -= 1;
      return true;
    }
    return false;
  }

  private isWithin({ changedMs }: SeenNode, ms: number): boolean {
    return this.heardMs - changedMs < ms;
  }
}

/** How long ago the node has beaten. A node whose first seen beat is dated in the future counts as silent. */
function agoMs({ ageMs }: NodeBeat, isFirst: boolean): number {
  if (!isFirst) return Math.min(Math.max(ageMs, 0), BEAT_MS);
  return ageMs < -BEAT_MS ? LIVE_MS : Math.max(ageMs, 0);
}

function aboutOf({ node, info }: NodeBeat): Pick<Seen, 'agents' | 'process' | 'free'> {
  const { agents, process, load } = jsonObject(info) ?? {};
  const { executing, concurrency } = Object(load);
  return {
    agents: Array.isArray(agents) ? agents.map(String) : [],
    process: typeof process === 'string' ? process : node,
    free: Math.max(0, Number(concurrency) - Number(executing)) || 0, // a node of another release may not say
  };
}
