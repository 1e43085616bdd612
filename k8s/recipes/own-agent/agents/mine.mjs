/** An agent of one's own: docs/guide/agents.md says what it may yield, and what `turn` has. */
export default {
  async *run(turn, { signal }) {
    const reply = `You said ${turn.content}`;
    for (const word of reply.split(/(?<= )/)) {
      signal.throwIfAborted();
      yield { type: 'delta', content: word };
    }
    return { content: reply };
  },
};
