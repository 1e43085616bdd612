import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

/** A node whose beat is older is not live, in ms of Redis time. */
export const LIVE_MS = 3_000;
/** How often a node beats. */
export const BEAT_MS = 1_000;
/** The same as in node-beat.lua. */
const FORGOTTEN_MS = 60_000;

export type NodeLife = 'live' | 'draining' | 'silent';

export function nodeLife({ status, ageMs }: Pick<scripts.NodeBeat, 'status' | 'ageMs'>): NodeLife {
  // A beat in the future was written before the clock of Redis was set back: it proves nothing.
  if (ageMs >= LIVE_MS || ageMs < -BEAT_MS) return 'silent';
  return status === 'draining' ? 'draining' : 'live';
}

/** What is published to a node to ask it to drain. */
export const DRAIN_ASKED = 'drain';

export type Nodes = ReturnType<typeof makeNodes>;

/** `sluice:nodes`: who is alive, and who is leaving. */
export function makeNodes(connection: Connection, keys: Keys, nodeId: string) {
  const nodes = { nodes: keys.nodes };
  return {
    beat: (status: scripts.NodeStatus, info: object) =>
      connection.run(scripts.nodeBeat, nodes, { node: nodeId, status, info: JSON.stringify(info) }),

    /** Id of the data set; '' when it was deleted. */
    dataId: async () =>
      (await connection.ask(keys.layout, (client) => client.hget(keys.layout, 'id'))) ?? '',

    /** Marks this node draining and returns the number of other live workers, in one step (D2). */
    drain: (info: object) =>
      connection.run(scripts.nodeDrain, nodes, { node: nodeId, info: JSON.stringify(info) }),

    /** Every node that beat within the last minute; changes nothing. */
    async list(): Promise<scripts.NodeBeat[]> {
      // The clock that dates the beats is that of the server which has them.
      const [[seconds, micros], beats] = await connection.ask(keys.nodes, (client) =>
        Promise.all([client.time(), client.hgetall(keys.nodes)]),
      );
      const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
      return Object.entries(beats).flatMap(([node, text]) => {
        const [, at, status = '', info = '{}'] = /^(\d+) (\S+) (.*)$/s.exec(text) ?? [];
        if (at === undefined) return []; // not written by us
        const ageMs = nowMs - Number(at);
        return ageMs > FORGOTTEN_MS ? [] : [{ node, status, ageMs, info }];
      });
    },

    /** Whether a live process listens under this node's id already; `sluice:nodes` would have one beat for both. */
    async isTaken(): Promise<boolean> {
      const channel = keys.nodeChannelPrefix(0) + nodeId;
      const [, hearers = 0] = await connection.ask(channel, (client) =>
        connection.isSharded
          ? client.pubsub('SHARDNUMSUB', channel)
          : client.pubsub('NUMSUB', channel),
      );
      return Number(hearers) > 0;
    },

    /** Asks a node to drain as SIGTERM does; false: it does not listen. Asking again changes nothing. */
    async askToDrain(node: string): Promise<boolean> {
      const channel = keys.nodeChannelPrefix(0) + node;
      const heard = await connection.ask<unknown>(
        channel,
        (client) =>
          connection.isSharded
            ? client.spublish(channel, DRAIN_ASKED)
            : client.publish(channel, DRAIN_ASKED),
        'drain-ask',
      );
      return Number(heard) > 0;
    },

    leave: () =>
      connection.ask(keys.nodes, (client) => client.hdel(keys.nodes, nodeId), 'node-leave'),
  };
}
