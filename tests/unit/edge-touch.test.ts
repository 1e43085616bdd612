import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { startTouch } from '../../apps/gateway/dist/edge/session/keep-sessions.js';
import { makeLog } from '../../apps/gateway/dist/log.js';

describe('sessions that somebody is attached to', () => {
  it('C4 are each kept alive once in a round, a few at a time', async () => {
    const refs = Array.from({ length: 10_005 }, (_, i) => ({
      principal: 'p',
      sessionId: `s${i}`,
    }));
    const touched = new Map<string, number>();
    let now = 0;
    let most = 0;
    const timer = startTouch(
      {
        fanOut: { sessions: () => refs } as never,
        log: makeLog({ level: 'silent', pretty: false }),
        sessions: {
          async touch({ sessionId }: { sessionId: string }) {
            touched.set(sessionId, (touched.get(sessionId) ?? 0) + 1);
            if (now++ === 0) setImmediate(() => (now = 0));
            most = Math.max(most, now);
            return 'touched';
          },
        } as never,
      },
      1_000,
    );
    await eventually(() => [...touched.values()].reduce((sum, it) => sum + it, 0) >= 2 * 10_005);
    clearInterval(timer);
    expect(new Set(touched.values())).toEqual(new Set([2]));
    expect(most).toBeLessThanOrEqual(1_001);
  });
});
