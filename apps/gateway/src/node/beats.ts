import { monotonicMs } from '@sluice/runtime';
import { BEAT_MS, jsonObject, LIVE_MS, type NodeBeat } from '@sluice/store';

/** A node as its beats tell of it. */
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
 * Who beats. Redis' clock dates the beats, and may be set: a node is judged by when its beat changes, as this
 * process sees it. Only at first sight there is nothing but the date.
 */
export class Beats {
  private seen = new Map<string, SeenNode & { readonly beatAtMs: number }>();
  /** Of the last answer: while Redis is away everybody stays what they were. */
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

/** How long ago it was beaten; a date that cannot be says nothing of a node that is seen for the first time. */
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
    free: Math.max(0, Number(concurrency) - Number(executing)) || 0, // one of another release may not say
  };
}
