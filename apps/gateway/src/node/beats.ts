import { monotonicMs } from '@sluice/runtime';
import { BEAT_MS, jsonObject, LIVE_MS, type NodeBeat } from '@sluice/store';

/** What the beats of a node say of it. */
export type SeenNode = {
  readonly node: string;
  readonly status: string;
  readonly agents: readonly string[];
  readonly process: string;
  /** Slots of `worker.concurrency` that were not taken. */
  readonly free: number;
  /** When its beat changed last, by the monotonic clock of this process. */
  readonly changedMs: number;
};

/**
 * The nodes that beat. Beats are dated by the clock of Redis, which may be set. So a node is judged by when this
 * process sees its beat change. Only for a node that is seen for the first time the date has to do.
 */
export class Beats {
  private seen = new Map<string, SeenNode & { readonly beatAtMs: number }>();
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
        return [beat.node, { ...beat, ...aboutOf(beat), beatAtMs, changedMs }];
      }),
    );
  }

  /** Nodes whose beat is no older than `ms`. */
  within(ms: number): SeenNode[] {
    return [...this.seen.values()].filter(({ changedMs }) => this.heardMs - changedMs < ms);
  }
}

/** How long ago the node has beaten. A node whose first seen beat is dated in the future counts as silent. */
function agoMs({ ageMs }: NodeBeat, isFirst: boolean): number {
  if (!isFirst) return Math.min(Math.max(ageMs, 0), BEAT_MS);
  return ageMs < -BEAT_MS ? LIVE_MS : Math.max(ageMs, 0);
}

function aboutOf({ node, info }: NodeBeat): Pick<SeenNode, 'agents' | 'process' | 'free'> {
  const { agents, process, load } = jsonObject(info) ?? {};
  const { executing, concurrency } = Object(load);
  return {
    agents: Array.isArray(agents) ? agents.map(String) : [],
    process: typeof process === 'string' ? process : node,
    free: Math.max(0, Number(concurrency) - Number(executing)) || 0, // a node of another release may not say
  };
}
