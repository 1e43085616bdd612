import { exitStatus } from '@sluice/runtime';
import { type Frame, numberOf, textOf } from '../api/frame.js';
import { ask, type Gateway } from '../api/gateway.js';
import { pagesOf } from '../api/pages.js';
import { ageOf } from '../output/age.js';
import { printListing } from '../output/listing.js';
import type { Column } from '../output/table.js';
import { writeLines } from '../output/write.js';

const columns: readonly Column<Frame>[] = [
  { title: 'AGE', cell: (letter) => ageOf(numberOf(letter, 'timestamp'), Date.now()) },
  { title: 'ATTEMPTS', cell: (letter) => String(numberOf(letter, 'attempts')) },
  { title: 'REASON', cell: (letter) => textOf(letter, 'reason') },
  { title: 'AGENT', cell: (letter) => textOf(letter, 'agent_id') },
  { title: 'PRINCIPAL', cell: (letter) => textOf(letter, 'principal') },
  // Last, since it is the longest: it names session and message.
  { title: 'ID', cell: (letter) => textOf(letter, 'id'), whole: true },
];

export type LettersOptions = {
  readonly principal?: string;
  readonly limit?: number;
  readonly json?: boolean;
};

/** Prints dead letters; returns the exit status, as the functions below do. */
export async function listLetters(gateway: Gateway, options: LettersOptions): Promise<number> {
  const { principal, limit, json } = options;
  const listing = { path: '/v1/dead-letters', field: 'dead_letters', query: { principal }, limit };
  await printListing(pagesOf(gateway, listing), { json, columns, none: 'no dead letters' });
  return exitStatus.ok;
}

export async function retryLetter(gateway: Gateway, id: string): Promise<number> {
  const accepted = await ask(gateway, { method: 'POST', path: `${pathOf(id)}/retry` });
  const [session, message] = [textOf(accepted, 'session_id'), textOf(accepted, 'message_id')];
  await writeLines([`accepted again in session ${session}, as message ${message}`]);
  return exitStatus.ok;
}

export type RetryOptions = { readonly agent?: string; readonly principal?: string };

/** Retries the letters that are there now, page by page; messages that die again meanwhile are left alone. */
export async function retryLetters(
  gateway: Gateway,
  { agent, principal }: RetryOptions,
): Promise<number> {
  let [retried, kept] = [0, 0];
  let after: string | undefined;
  do {
    const query = { agent, principal, after };
    const page = await ask(gateway, { method: 'POST', path: '/v1/dead-letters/retry', query });
    retried += numberOf(page, 'retried');
    kept += numberOf(page, 'kept');
    after = textOf(page, 'next') || undefined;
  } while (after !== undefined);
  const rest = kept > 0 ? `; ${kept} kept: their session has ended, or its inbox is full` : '';
  await writeLines([`${retried} accepted again${rest}`]);
  return exitStatus.ok;
}

export async function dropLetter(gateway: Gateway, id: string): Promise<number> {
  await ask(gateway, { method: 'DELETE', path: pathOf(id) });
  await writeLines([`dropped ${id}`]);
  return exitStatus.ok;
}

const pathOf = (id: string) => `/v1/dead-letters/${encodeURIComponent(id)}`;
