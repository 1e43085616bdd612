import type { Logger } from '@sluice/runtime';
import {
  type Channels,
  DRAIN_ASKED,
  type Keys,
  LIVE_MS,
  type NodeBeat,
  type Nodes,
  StoreUnavailable,
} from '@sluice/store';
import type { Role } from './config-types.js';
import { VERSION } from './version.js';

const BEAT_MS = 1_000;

type PresenceOptions = {
  readonly nodes: Nodes;
  readonly channels: Channels;
  readonly keys: Keys;
  readonly nodeId: string;
  readonly processId: string;
  readonly roles: readonly Role[];
  readonly agents: readonly string[];
  load(): NodeLoad;
  /** An operator asks this node to drain, as SIGTERM does; maybe more than once. */
  onDrainAsked(): void;
  readonly log: Logger;
};

/** How busy a node is, as its beats say. */
export type NodeLoad = { readonly connections: number; readonly executing: number };

export type Presence = Awaited<ReturnType<typeof startPresence>>;

/** Beats for this node, listens on its channels, and knows, from the same call, who else is alive. */
export async function startPresence(options: PresenceOptions) {
  const { nodes, channels, keys, nodeId, processId, roles, agents, log } = options;
  const about = { version: VERSION, roles, agents, pid: process.pid, process: processId };
  const info = () => ({ ...about, load: options.load() });
  let beats: readonly NodeBeat[] = [];
  let draining = false;

  async function beat() {
    const status = draining ? 'draining' : roles.includes('worker') ? 'worker' : 'edge';
    beats = await nodes.beat(status, info());
  }
  if (await nodes.isTaken()) {
    log.warn('another process lives under this gateway.node_id: give each node its own');
  }
  // One channel for what the node must hear, and one that nobody but this process listens to: that
  // subscription is a sign of life, and ends with the process (E10).
  let listener: (message: string) => void = () => {};
  await channels.subscribe(
    Array.from({ length: keys.partitions }, (_, p) => keys.nodeChannelPrefix(p)).flatMap(
      (prefix) => [prefix + nodeId, prefix + processId],
    ),
    (message) => (message === DRAIN_ASKED ? options.onDrainAsked() : listener(message)),
  );
  // What is refused now will be refused later as well: a node that nobody sees does not start.
  await beat();
  const onFailure = (err: unknown) => {
    if (!(err instanceof StoreUnavailable)) log.error({ err }, 'beat failed');
  };
  const timer = setInterval(() => void beat().catch(onFailure), BEAT_MS);

  const live = () => beats.filter((b) => b.ageMs < LIVE_MS || b.node === nodeId);
  return {
    info,
    /** How many nodes beat, this one included. */
    liveNodes: () => new Set([nodeId, ...live().map((b) => b.node)]).size,
    liveProcesses: () => [processId, ...live().map(processOf)],
    liveWorkers: () =>
      live()
        .filter((b) => b.status === 'worker')
        .map((b) => b.node),
    hasAgent(agent: string): boolean {
      if (agents.includes(agent)) return true;
      return live().some((b) => agentsOf(b).includes(agent));
    },
    /** Names who hears what is published to this node: wakes and aborts. */
    onNodeMessage(heard: (message: string) => void) {
      listener = heard;
    },
    /** From now on beats say that this node is leaving. */
    drain() {
      draining = true;
    },
    async stop() {
      clearInterval(timer);
      await nodes.leave().catch(() => undefined); // forgotten after a minute anyway
    },
  };
}

type Info = { readonly agents?: readonly string[]; readonly process?: string };

const infoOf = (beat: NodeBeat) => JSON.parse(beat.info) as Info;
const agentsOf = (beat: NodeBeat) => infoOf(beat).agents ?? [];
const processOf = (beat: NodeBeat) => infoOf(beat).process ?? beat.node;
