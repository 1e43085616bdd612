import { type ClusterState, monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { memoryNumber } from '../redis/memory.js';
import { StoreUnavailable } from '../redis/unavailable.js';
import { pairs } from '../script/reply.js';
import * as scripts from '../script/scripts.js';
import { type Nodes, nodeLife } from './nodes.js';
import type { Pauses } from './pauses.js';

/** Cache lifetime: Redis is asked at most once per 5 s, however often we are scraped. */
const KEPT_MS = 5_000;
/** Most groups of SESSION_END that are reported; anybody who reaches Redis can make more. */
const GROUPS_MAX = 50;

type Group = { readonly name: string; readonly lag: number | undefined; readonly pending: number };

export type Measure = (partition: number) => Promise<scripts.MeasureReply>;

/** Measures how much waits in a partition, and for how many ms. Changes nothing. */
export function makeMeasure(connection: Connection, keys: Keys): Measure {
  return (partition) => {
    const { pending, paused_agents, sessionPrefix } = keys.partition(partition);
    const args = { session_prefix: sessionPrefix };
    return connection.run(scripts.pendingMeasure, { pending, paused_agents }, args);
  };
}

type ClusterParts = {
  readonly measure: Measure;
  /** The global stream of SESSION_END. */
  readonly stream: string;
  readonly nodes: Pick<Nodes, 'list'>;
  readonly pauses: Pick<Pauses, 'agents'>;
};

/**
 * Returns the state of the cluster, asked at most every 5 s; undefined while Redis is away. The calls go out
 * together: two for each partition, and a handful for the whole.
 */
export function makeClusterState(
  connection: Connection,
  keys: Keys,
  { measure, stream, nodes, pauses }: ClusterParts,
): () => Promise<ClusterState | undefined> {
  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  let kept: { readonly atMs: number; readonly state: Promise<ClusterState> } | undefined;

  const lettersIn = (partition: number) => {
    const dead = keys.deadIn(partition);
    return connection.ask(dead, (client) => client.zcard(dead), 'cluster-read');
  };

  /** Of the fullest server: when that one is full, its sessions take nothing new. */
  async function memory(): Promise<{ usedBytes: number; maxBytes: number }> {
    const infos = await connection.askEach((client) => client.info('memory'), 'cluster-read');
    const found = infos.map((info) => ({
      usedBytes: memoryNumber(info, 'used_memory'),
      maxBytes: memoryNumber(info, 'maxmemory'),
    }));
    const shareOf = (it: (typeof found)[number]) => it.usedBytes / (it.maxBytes || 2 ** 53);
    found.sort((a, b) => shareOf(b) - shareOf(a));
    return found[0] ?? { usedBytes: 0, maxBytes: 0 };
  }

  async function groups(): Promise<Group[]> {
    const [newest, listed] = await connection.ask(
      stream,
      (client) =>
        Promise.all([
          client.xrevrange(stream, '+', '-', 'COUNT', 1),
          client.xinfo('GROUPS', stream).catch(noneOf) as Promise<(string | number | null)[][]>,
        ]),
      'cluster-read',
    );
    return listed.slice(0, GROUPS_MAX).map((flat) => {
      const about = pairs(flat.map((value) => String(value ?? '')));
      const { name = '', pending, lag, 'last-delivered-id': delivered } = about;
      // Redis 7.0.15 counts entries that were trimmed before delivery as lag for ever.
      const hasAll = newest[0]?.[0] === delivered;
      return { name, pending: Number(pending), lag: hasAll ? 0 : lag ? Number(lag) : undefined };
    });
  }

  async function ask(): Promise<ClusterState> {
    const [waiting, letters, beats, ends, fullest, paused] = await Promise.all([
      Promise.all(partitions.map(measure)),
      Promise.all(partitions.map(lettersIn)),
      nodes.list(),
      groups(),
      memory(),
      pauses.agents(),
    ]);
    const lives = beats.map(nodeLife);
    const nodesThat = (life: string) => lives.filter((it) => it === life).length;
    return {
      pendingMessages: sum(waiting.map(({ messages }) => messages)),
      pendingSessions: sum(waiting.map(({ sessions }) => sessions)),
      oldestPendingMs: Math.max(...waiting.map(({ oldestMs }) => oldestMs)),
      nodes: {
        live: nodesThat('live'),
        draining: nodesThat('draining'),
        silent: nodesThat('silent'),
      },
      liveWorkers: beats.filter((beat) => beat.status === 'worker' && nodeLife(beat) === 'live')
        .length,
      groupLag: Object.fromEntries(
        ends.flatMap(({ name, lag }) => (lag === undefined ? [] : [[name, lag]])),
      ),
      groupPending: Object.fromEntries(ends.map(({ name, pending }) => [name, pending])),
      deadLetters: sum(letters),
      pausedAgents: paused.length,
      memoryBytes: fullest.usedBytes,
      maxMemoryBytes: fullest.maxBytes,
    };
  }

  return async () => {
    if (kept === undefined || monotonicMs() - kept.atMs > KEPT_MS) {
      kept = { atMs: monotonicMs(), state: ask() };
    }
    const asked = kept;
    try {
      return await asked.state;
    } catch (error) {
      if (kept === asked) kept = undefined;
      if (!(error instanceof StoreUnavailable)) throw error;
      return undefined;
    }
  };
}

/** A stream that was not made yet, or was deleted, has no groups. */
function noneOf(error: Error): [] {
  if (error.message.includes('no such key')) return [];
  throw error;
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, it) => all + it, 0);
