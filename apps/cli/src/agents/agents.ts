import { exitStatus } from '@sluice/runtime';
import type { Gateway } from '../api/gateway.js';
import { pagesOf } from '../api/pages.js';
import { type Frame, textOf } from '../chat/frame.js';
import { wordsOf } from '../nodes/nodes.js';
import { printListing } from '../output/listing.js';
import type { Column } from '../output/table.js';

const columns: readonly Column<Frame>[] = [
  { title: 'AGENT', cell: (agent) => textOf(agent, 'agent_id'), whole: true },
  { title: 'WORKERS', cell: ({ nodes }) => String(Array.isArray(nodes) ? nodes.length : 0) },
  { title: 'NODES', cell: (agent) => wordsOf(agent, 'nodes'), whole: true },
];

export async function listAgents(gateway: Gateway, { json }: { json?: boolean }): Promise<number> {
  const pages = pagesOf(gateway, { path: '/v1/agents', field: 'agents' });
  await printListing(pages, { json, columns, none: 'no node has an agent' });
  return exitStatus.ok;
}
