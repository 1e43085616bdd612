/** The part of a `module` agent that the measurements use; floor and peer run the same agents. */
export type Agent = {
  run(turn: {
    readonly content: string;
  }): AsyncGenerator<{ type: 'delta'; content: string }, { content: string }>;
};

/** Returns the reply; calls `onDelta` for each delta, one after the other. */
export async function reply(
  agent: Agent,
  content: string,
  onDelta: (content: string) => unknown,
): Promise<string> {
  const turn = agent.run({ content });
  for (;;) {
    const step = await turn.next();
    if (step.done) return step.value.content;
    await onDelta(step.value.content);
  }
}
