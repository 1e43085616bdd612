import type { Logger } from '@sluice/runtime';
import {
  BEAT_MS,
  type Channels,
  DRAIN_ASKED,
  type Keys,
  LIVE_MS,
  type Nodes,
  StoreUnavailable,
} from '@sluice/store';
import type { Role } from '../config/config-types.js';
import { Beats, type SeenNode } from './beats.js';
import { VERSION } from './version.js';

type PresenceOptions = {
  readonly nodes: Nodes;
  readonly channels: Channels;
  readonly keys: Keys;
  readonly nodeId: string;
  readonly processId: string;
  readonly roles: readonly Role[];
  readonly agents: readonly string[];
  load(): NodeLoad;
  /** Called with each beat. `id`: the data set that Redis holds; '' when it was deleted. */
  onDataSet(id: string): Promise<void>;
  /** An operator asks this node to drain, as SIGTERM does. May be called more than once. */
  onDrainAsked(): void;
  readonly log: Logger;
};

/** How busy a node is, as its beats say. */
export type NodeLoad = {
  readonly connections: number;
  readonly executing: number;
  /** `worker.concurrency`; 0: no worker. */
  readonly concurrency: number;
};

export type Presence = Awaited<ReturnType<typeof startPresence>>;

/** Beats for this node and listens on its channels. The answers to its beats say which other nodes are alive. */
export async function startPresence(options: PresenceOptions) {
  const { nodes, channels, keys, nodeId, processId, roles, agents, log } = options;
  const about = { version: VERSION, roles, agents, pid: process.pid, process: processId };
  const info = () => ({ ...about, load: options.load() });
  const beats = new Beats();
  let draining = false;

  async function beat() {
    const status = draining ? 'draining' : roles.includes('worker') ? 'worker' : 'edge';
    const [beat, dataId] = await Promise.all([nodes.beat(status, info()), nodes.dataId()]);
    beats.heard(beat.beats, beat.nowMs);
    await options.onDataSet(dataId);
  }
  if (await nodes.isTaken()) {
    log.warn('another process lives under this gateway.node_id: give each node its own');
  }
  // One channel is for messages to the node. Only this process listens to the other one: that subscription is its sign
  // of life, and ends with it (E10).
  let listener: (message: string) => void = () => {};
  await channels.subscribe(
    Array.from({ length: keys.partitions }, (_, p) => keys.nodeChannelPrefix(p)).flatMap(
      (prefix) => [prefix + nodeId, prefix + processId],
    ),
    (bytes) => {
      const message = bytes.toString();
      return message === DRAIN_ASKED ? options.onDrainAsked() : listener(message);
    },
  );
  // A beat that is refused now would be refused later too: a node that no other can see does not start.
  await beat();
  const onFailure = (err: unknown) => {
    if (!(err instanceof StoreUnavailable)) log.error({ err }, 'beat failed');
  };
  const timer = setInterval(() => void beat().catch(onFailure), BEAT_MS);

  const live = () => beats.within(LIVE_MS);
  const namesOf = (those: readonly SeenNode[]) => those.map(({ node }) => node);
  return {
    info,
    /** How many nodes beat, this one included. */
    liveNodes: () => new Set([nodeId, ...namesOf(live())]).size,
    liveProcesses: () => [processId, ...live().map(({ process }) => process)],
    liveWorkers: () => namesOf(live().filter(({ status }) => status === 'worker')),
    hasAgent(agent: string): boolean {
      if (agents.includes(agent)) return true;
      return live().some((it) => it.agents.includes(agent));
    },
    takeRoomElsewhere: (agent: string) => beats.takeRoom(agent, nodeId),
    /** Sets the function that gets what is published to this node: wakes and aborts. */
    onNodeMessage(heard: (message: string) => void) {
      listener = heard;
    },
    /** From now on the beats say that this node is draining. */
    drain() {
      draining = true;
    },
    async stop() {
      clearInterval(timer);
      await nodes.leave().catch(() => undefined); // forgotten after a minute anyway
    },
  };
}
