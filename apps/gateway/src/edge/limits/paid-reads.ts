import {
  type HistoryPage,
  type LogRange,
  type Reading,
  type SessionRef,
  type Sessions,
  StoreBusy,
} from '@sluice/store';
import type { EdgeRates } from './rates.js';

export type PaidReads = ReturnType<typeof makePaidReads>;

/**
 * Reads of sessions for clients. The principal who asks pays afterwards, by the bytes, from its bucket. While it owes
 * for earlier reads, another one throws StoreBusy.
 */
export function makePaidReads(sessions: Sessions, rates: Pick<EdgeRates, 'read' | 'readWaitMs'>) {
  async function paid<T extends { readonly bytes: number }>(
    ref: SessionRef,
    reading: Reading,
    read: (reading: Reading) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const payer = reading.by ?? ref.principal;
    const refusal = () => {
      const waitMs = rates.readWaitMs(payer);
      return waitMs > 0 ? new StoreBusy(waitMs) : undefined;
    };
    const refused = refusal();
    if (refused) throw refused;
    // `refusal` is asked again when this read's turn comes: by then the reads before it are charged.
    const answer = await read({ ...reading, refusal });
    if (answer) rates.read(payer, answer.bytes);
    return answer;
  }

  return {
    read: (ref: SessionRef, page: HistoryPage, reading: Reading = {}) =>
      paid(ref, reading, (asked) => sessions.read(ref, page, asked)),
    log: (ref: SessionRef, range: LogRange, reading: Reading = {}) =>
      paid(ref, reading, (asked) => sessions.log(ref, range, asked)),
  };
}
