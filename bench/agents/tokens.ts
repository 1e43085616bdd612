import type { Agent } from './agent.js';

/** One ticker serves all turns, so that the agent costs its node little (3 to 12 us per token). */
const TICK_MS = 5;
type Waiting = { readonly dueMs: number; go(): void };
const waiting = new Set<Waiting>();
let ticker: NodeJS.Timeout | undefined;

function tick(): void {
  const now = performance.now();
  for (const turn of waiting) {
    if (turn.dueMs > now) continue;
    waiting.delete(turn);
    turn.go();
  }
  if (waiting.size > 0) return;
  clearInterval(ticker);
  ticker = undefined;
}

function until(dueMs: number): Promise<void> {
  return new Promise((go) => {
    waiting.add({ dueMs, go });
    ticker ??= setInterval(tick, TICK_MS);
  });
}

/**
 * Answers a message "<tokens> <gap_ms>" with that number of tokens, one per gap; each token is the present
 * time in milliseconds, and a blank.
 */
const tokens: Agent = {
  async *run({ content }) {
    const [count = 0, gapMs = 0] = content.split(' ').map(Number);
    const startMs = performance.now();
    let length = 0;
    for (let index = 0; index < count; index += 1) {
      const dueMs = startMs + index * gapMs;
      if (dueMs > performance.now()) await until(dueMs);
      const token = `${Date.now()} `;
      length += token.length;
      yield { type: 'delta', content: token };
    }
    return { content: `${length} characters` };
  },
};

export default tokens;
