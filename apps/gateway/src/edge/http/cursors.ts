import type { HistoryPlace, LetterCursor, RetryCursor, SessionCursor } from '@sluice/store';
import { z } from 'zod';

/** Cursors of pages, as text in a query: no character of them needs escaping. */

const after = 'must be the "next" of an earlier page';

export const sessionCursor = z
  .string()
  .regex(/^\d{1,16}~[\w-]{12}\.[A-Za-z0-9._:@-]{1,128}$/, { error: after })
  .transform((text): SessionCursor => {
    const [score, id = ''] = text.split('~');
    return { score: Number(score), id };
  });

export const encodeSessionCursor = ({ score, id }: SessionCursor) => `${score}~${id}`;

export const historyPlace = z
  .string()
  .regex(/^[ua]~(?:[A-Za-z0-9._:-]{1,256}~)?\d{1,16}$/, {
    error: 'must be the "older" of an earlier page',
  })
  .transform((text): HistoryPlace => {
    const [letter, ...rest] = text.split('~');
    const kind = letter === 'u' ? 'u' : 'a';
    const [messageId = '', atMs] = rest;
    return atMs === undefined
      ? { kind, seq: Number(messageId) }
      : { kind, messageId, atMs: Number(atMs) };
  });

export const encodeHistoryPlace = (place: HistoryPlace) =>
  'seq' in place ? `${place.kind}~${place.seq}` : `${place.kind}~${place.messageId}~${place.atMs}`;

export const letterCursor = z
  .string()
  .regex(/^\d{1,16}-\d{1,6}$/, { error: after })
  .transform((text): LetterCursor => {
    const [number, partition] = text.split('-');
    return { number: Number(number), partition: Number(partition) };
  });

export const encodeLetterCursor = ({ number, partition }: LetterCursor) => `${number}-${partition}`;

export const retryCursor = z
  .string()
  .regex(/^\d{1,16}-\d{1,6}-\d{1,16}$/, { error: after })
  .transform((text): RetryCursor => {
    const [number, partition, until] = text.split('-').map(Number);
    return { number: number ?? 0, partition: partition ?? 0, until: until ?? 0 };
  });

export const encodeRetryCursor = ({ number, partition, until }: RetryCursor) =>
  `${number}-${partition}-${until}`;
