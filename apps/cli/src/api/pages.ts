import { type Frame, isFrame, textOf } from './frame.js';
import { ask, type Call, type Gateway } from './gateway.js';

/** Most items that the HTTP API returns per page. */
const PAGE = 100;

export type Listing = {
  readonly path: string;
  /** The field of an answer that holds the page. */
  readonly field: string;
  readonly query?: Call['query'];
  /** Most items in all; undefined: no limit. */
  readonly limit?: number | undefined;
};

/** The pages of a listing, one after the other; a path without paging gives a single page. */
export async function* pagesOf(gateway: Gateway, listing: Listing): AsyncGenerator<Frame[]> {
  let left = listing.limit ?? Number.POSITIVE_INFINITY;
  let after: string | undefined;
  do {
    const query = { ...listing.query, after, limit: Math.min(left, PAGE) };
    const answer = await ask(gateway, { method: 'GET', path: listing.path, query });
    const page = rowsOf(answer, listing.field).slice(0, left);
    left -= page.length;
    if (page.length > 0) yield page;
    after = textOf(answer, 'next') || undefined;
  } while (after !== undefined && left > 0);
}

function rowsOf(answer: Frame, field: string): Frame[] {
  const rows = answer[field];
  return Array.isArray(rows) ? rows.filter(isFrame) : [];
}
