import { exitStatus } from '@sluice/runtime';
import { type Frame, numberOf, textOf } from '../api/frame.js';
import type { Gateway } from '../api/gateway.js';
import { pagesOf } from '../api/pages.js';
import { ageOf } from '../output/age.js';
import { printListing } from '../output/listing.js';
import type { Column } from '../output/table.js';

const columns: readonly Column<Frame>[] = [
  { title: 'SESSION', cell: (session) => textOf(session, 'session_id'), whole: true },
  { title: 'PRINCIPAL', cell: (session) => textOf(session, 'principal') },
  { title: 'AGENT', cell: (session) => textOf(session, 'agent_id') },
  { title: 'STATE', cell: stateOf },
  { title: 'PENDING', cell: (session) => String(numberOf(session, 'pending')) },
  { title: 'HOLDER', cell: (session) => textOf(session, 'holder') },
  { title: 'USED', cell: (session) => ageOf(numberOf(session, 'last_activity'), Date.now()) },
];

export type ListOptions = {
  readonly state?: string;
  readonly agent?: string;
  readonly principal?: string;
  readonly limit?: number;
  readonly json?: boolean;
};

function stateOf(session: Frame): string {
  return textOf(session, 'state') + (session.paused === true ? ', paused' : '');
}

/** Prints sessions; returns the exit status. */
export async function listSessions(gateway: Gateway, options: ListOptions): Promise<number> {
  const { state, agent, principal, limit, json } = options;
  const query = { state, agent_id: agent, principal };
  const pages = pagesOf(gateway, { path: '/v1/sessions', field: 'sessions', query, limit });
  await printListing(pages, { json, columns, none: 'no such sessions' });
  return exitStatus.ok;
}
