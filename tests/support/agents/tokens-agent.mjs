/** A message "<tokens> <gap_ms>" is answered with so many tokens, one per gap. */
export default {
  async *run({ content }) {
    const [tokens, gapMs] = content.split(' ').map(Number);
    for (let i = 0; i < tokens; i += 1) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
      yield { type: 'delta', content: `token${i} ` };
    }
    return { content: 'done' };
  },
};
