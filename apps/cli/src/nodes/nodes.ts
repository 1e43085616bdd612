import { exitStatus } from '@sluice/runtime';
import { type Frame, numberOf, objectOf, textOf } from '../api/frame.js';
import { ask, type Gateway } from '../api/gateway.js';
import { pagesOf } from '../api/pages.js';
import { printListing } from '../output/listing.js';
import type { Column } from '../output/table.js';
import { writeLines } from '../output/write.js';

const columns: readonly Column<Frame>[] = [
  { title: 'NODE', cell: (node) => textOf(node, 'node_id'), whole: true },
  { title: 'STATE', cell: (node) => textOf(node, 'state') },
  { title: 'CONNECTIONS', cell: (node) => loadOf(node, 'connections') },
  { title: 'EXECUTING', cell: (node) => loadOf(node, 'executing') },
  { title: 'BEAT', cell: (node) => `${(numberOf(node, 'beat_age_ms') / 1_000).toFixed(1)}s ago` },
  { title: 'VERSION', cell: (node) => textOf(node, 'version') },
  { title: 'ROLES', cell: (node) => wordsOf(node, 'roles') },
  { title: 'AGENTS', cell: (node) => wordsOf(node, 'agents') },
];

/** Prints the nodes; returns the exit status. */
export async function listNodes(gateway: Gateway, { json }: { json?: boolean }): Promise<number> {
  const pages = pagesOf(gateway, { path: '/v1/nodes', field: 'nodes' });
  await printListing(pages, {
    json,
    columns,
    none: 'no node has given a sign of life for a minute',
  });
  return exitStatus.ok;
}

/** Starts the drain of a node and does not wait for its end; returns the exit status. */
export async function drainNode(gateway: Gateway, id: string): Promise<number> {
  await ask(gateway, { method: 'POST', path: `/v1/nodes/${encodeURIComponent(id)}/drain` });
  await writeLines([`${id} was told to drain, as by SIGTERM; sluice nodes shows how far it is`]);
  return exitStatus.ok;
}

/** '' if the node does not report it. */
function loadOf(node: Frame, name: string): string {
  const load = objectOf(node, 'load')[name];
  return typeof load === 'number' ? String(load) : '';
}

export function wordsOf(row: Frame, field: string): string {
  const words = row[field];
  return Array.isArray(words) ? words.join(',') : '';
}
