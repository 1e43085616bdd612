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
 * What clients read of sessions: paid by its bytes from the bucket of the principal who asks, behind the
 * fact. Who owes for earlier reads gets StoreBusy in place of another one.
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
    // Asked again when its turn has come: the reads before it are charged by then.
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
