import { describe, expect, it } from '@jest/globals';
import { makeMetrics } from '../../apps/gateway/src/metrics.js';

describe('the counts of the summary line', () => {
  it('failed has turns that went wrong, and none that somebody stopped', async () => {
    const { worker, counts } = makeMetrics(
      { echo: { kind: 'echo' } },
      {
        state: () => undefined,
        cluster: async () => undefined,
      },
    );
    const outcomes = [
      'ok',
      'ok',
      'aborted',
      'cancelled',
      'error',
      'timeout',
      'dead_lettered',
    ] as const;
    for (const outcome of outcomes) worker.turn({ agent: 'echo', outcome, ms: 1 });
    expect(await counts()).toMatchObject({ turns: 7, failed: 3 });
  });
});
