import { exitStatus } from '@sluice/runtime';
import { type Frame, textOf } from '../api/frame.js';
import { ask, type Gateway } from '../api/gateway.js';
import { pagesOf } from '../api/pages.js';
import { wordsOf } from '../nodes/nodes.js';
import { printListing } from '../output/listing.js';
import type { Column } from '../output/table.js';
import { writeLines } from '../output/write.js';

const columns: readonly Column<Frame>[] = [
  { title: 'AGENT', cell: (agent) => textOf(agent, 'agent_id'), whole: true },
  { title: 'STATE', cell: ({ paused }) => (paused === true ? 'paused' : 'on') },
  { title: 'WORKERS', cell: ({ nodes }) => String(Array.isArray(nodes) ? nodes.length : 0) },
  { title: 'NODES', cell: (agent) => wordsOf(agent, 'nodes'), whole: true },
];

/** Prints the agents; returns the exit status. */
export async function listAgents(gateway: Gateway, { json }: { json?: boolean }): Promise<number> {
  const pages = pagesOf(gateway, { path: '/v1/agents', field: 'agents' });
  await printListing(pages, { json, columns, none: 'no node has an agent' });
  return exitStatus.ok;
}

/** Pauses or resumes an agent; resolves with the exit status when that holds on every node. */
export async function turnAgent(
  gateway: Gateway,
  verb: 'pause' | 'resume',
  name: string,
): Promise<number> {
  await ask(gateway, { method: 'POST', path: `/v1/agents/${encodeURIComponent(name)}/${verb}` });
  const text = verb === 'pause' ? 'is paused; running turns finish, messages wait' : 'goes on';
  await writeLines([`${name} ${text}`]);
  return exitStatus.ok;
}
