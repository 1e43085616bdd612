import type { Connection } from './connect.js';
import type { Keys } from './keys.js';
import * as scripts from './scripts.js';

/** A node whose beat is older is not live, in ms of Redis time. */
export const LIVE_MS = 3_000;

export type Nodes = ReturnType<typeof makeNodes>;

/** `sluice:nodes`: who is alive, and who is leaving. */
export function makeNodes(connection: Connection, keys: Keys, nodeId: string) {
  const nodes = { nodes: keys.nodes };
  return {
    beat: (status: scripts.NodeStatus, info: object) =>
      connection.run(scripts.nodeBeat, nodes, { node: nodeId, status, info: JSON.stringify(info) }),

    /** Marks this node draining; answers how many other live workers there are, in one step (D2). */
    drain: (info: object) =>
      connection.run(scripts.nodeDrain, nodes, { node: nodeId, info: JSON.stringify(info) }),

    leave: () => connection.ask((client) => client.hdel(keys.nodes, nodeId), 'node-leave'),
  };
}
