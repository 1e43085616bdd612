import { describe, expect, it } from '@jest/globals';
import { drainConnections } from '../../apps/gateway/dist/edge/drain.js';

/** Connections and streams that only note when they are closed. */
function edgeWith(connections: number, streams: number) {
  const closedMs: number[] = [];
  const startMs = performance.now();
  const note = () => closedMs.push(performance.now() - startMs);
  const connection = () => ({
    state: { kind: 'idle' },
    outbound: { json: () => undefined, close: note },
  });
  const edge = {
    context: { marks: { written: async () => [] } },
    connections: new Set(Array.from({ length: connections }, connection)),
    streams: new Set(Array.from({ length: streams }, () => ({ end: note }))),
    waits: new Set(),
  };
  return { edge: edge as never, closedMs };
}

describe('the connections of a node that drains', () => {
  it.each([
    [1, 0, 300],
    [7, 3, 300],
    [13_500, 1_500, 1_000], // a timer for each of them takes 15 s
  ])('D6 %i and %i streams are closed evenly over %i ms', async (sockets, streams, spreadMs) => {
    const { edge, closedMs } = edgeWith(sockets, streams);
    const startMs = performance.now();
    await drainConnections(edge, { spreadMs, deadline: new AbortController().signal });
    const tookMs = performance.now() - startMs;
    expect(closedMs).toHaveLength(sockets + streams);
    expect(tookMs).toBeGreaterThanOrEqual(spreadMs - 20);
    expect(tookMs).toBeLessThan(spreadMs + 2_000);
    // Each is closed when its share of the time is over, never before; on a busy machine a little later.
    for (const [n, ms] of closedMs.entries()) {
      expect(ms).toBeGreaterThanOrEqual((spreadMs * (n + 1)) / closedMs.length - 20);
    }
  });

  it('D7 are closed at once when the deadline comes, and with no spread', async () => {
    const deadline = new AbortController();
    const { edge, closedMs } = edgeWith(5_000, 0);
    const startMs = performance.now();
    const drained = drainConnections(edge, { spreadMs: 60_000, deadline: deadline.signal });
    setTimeout(() => deadline.abort(), 100);
    await drained;
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(closedMs).toHaveLength(5_000);
    const other = edgeWith(5_000, 0);
    const signal = new AbortController().signal;
    await drainConnections(other.edge, { spreadMs: 0, deadline: signal });
    expect(other.closedMs).toHaveLength(5_000);
  });
});
