import type { ReadEnd } from '@sluice/store';
import { type Frame, isFrame, numberOf, parseFrame, textOf } from '../api/frame.js';
import { type Column, Table } from '../output/table.js';
import type { Lines } from './follower.js';

/** Records unchanged, exactly as in the stream. */
export const jsonLines: Lines = {
  of: (ends) => ends.map(({ record }) => record),
  ofLost: (lost) => [JSON.stringify({ v: '1', type: 'SESSION_END_LOST', lost, ts: Date.now() })],
};

const columns: readonly Column<Frame>[] = [
  { title: 'TIME', cell: (end) => new Date(numberOf(end, 'ts')).toISOString(), whole: true },
  { title: 'REASON', cell: (end) => textOf(end, 'reason_code') },
  { title: 'SESSION', cell: (end) => textOf(end, 'session_id'), whole: true },
  { title: 'PRINCIPAL', cell: (end) => textOf(end, 'principal') },
  { title: 'NODE', cell: (end) => textOf(end, 'node_id') },
  { title: 'PENDING', cell: (end) => String(numberOf(end, 'pending_count')) },
  { title: 'EXECUTING', cell: (end) => String(end.was_executing === true) },
  { title: 'CONTINUES', cell: (end) => String(end.continues === true) },
];

export function tableLines(): Lines {
  const table = new Table(columns);
  const parsed = (ends: readonly ReadEnd[]) =>
    ends.map(({ record }) => parseFrame(record)).filter(isFrame);
  return {
    of: (ends) => (ends.length > 0 ? table.lines(parsed(ends)) : []),
    ofLost: () => [],
  };
}
