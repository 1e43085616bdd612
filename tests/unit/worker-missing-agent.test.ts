import { describe, expect, it } from '@jest/globals';
import { makeMissingAgents } from '../../apps/gateway/dist/worker/gates/missing-agent.js';

describe('rings for an agent that no node has', () => {
  /** Asks once a second, as often as the ring comes; returns the time after which it was given up. */
  function goRound(missing: ReturnType<typeof makeMissingAgents>, clock: { ms: number }) {
    const fromMs = clock.ms;
    for (; clock.ms - fromMs <= 60_000; clock.ms += 1_000) {
      if (missing.giveUp('s')) return clock.ms - fromMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  it('S2 are given up after 30 s', () => {
    const clock = { ms: 5 };
    expect(
      goRound(
        makeMissingAgents(() => clock.ms),
        clock,
      ),
    ).toBe(31_000);
  });

  it('S2 have their 30 s again when the agent was there in between', () => {
    const clock = { ms: 5 };
    const missing = makeMissingAgents(() => clock.ms);
    expect([missing.giveUp('s'), missing.giveUp('s')]).toEqual([false, false]);
    clock.ms += 3_600_000; // another node had the agent, and no ring came here
    expect(goRound(missing, clock)).toBe(31_000);
    missing.forget('s');
    expect(goRound(missing, clock)).toBe(31_000);
  });
});
