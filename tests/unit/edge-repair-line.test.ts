import { describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { RepairLine } from '../../apps/gateway/dist/edge/delivery/repair-line.js';

describe('feeds that missed something', () => {
  it('C3 B1 read their logs 64 at a time, in the order in which they asked, however many there are', async () => {
    const line = new RepairLine();
    const open: (() => void)[] = [];
    const begun: number[] = [];
    let most = 0;
    let done = 0;
    const read = (name: number) => async () => {
      begun.push(name);
      await new Promise<void>((resolve) => {
        most = Math.max(most, open.push(resolve));
      });
      done++;
    };
    for (let name = 0; name < 1_000; name++) void line.run(read(name));
    await eventually(() => {
      for (const answer of open.splice(0)) answer();
      return done === 1_000;
    });
    expect(most).toBe(64);
    expect(begun).toEqual(Array.from({ length: 1_000 }, (_, name) => name));
  });

  it('C3 X4 hear when their own read fails, and no other waits for it', async () => {
    const line = new RepairLine();
    const fail = (error: Error) => line.run(() => Promise.reject(error));
    const failures = Array.from({ length: 200 }, (_, at) =>
      fail(at % 2 ? new StoreUnavailable('away') : new Error('WRONGTYPE')),
    );
    const read = line.run(async () => 'read');
    const settled = await Promise.allSettled(failures);
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    expect(await read).toBe('read');
  });
});
