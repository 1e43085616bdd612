import type { Agent } from './agent.js';

/** Answers as Sluice's agent `echo` does, but without deltas. */
const echo: Agent = {
  // biome-ignore lint/correctness/useYield: an agent is a generator, and this one has no deltas.
  async *run({ content }) {
    return { content: `echo: ${content}` };
  },
};

export default echo;
