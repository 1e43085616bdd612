/** The part of an agent of kind `module` that the measurements use; floor and peer run the same ones. */
export type Agent = {
  run(turn: {
    readonly content: string;
  }): AsyncGenerator<{ type: 'delta'; content: string }, { content: string }>;
};

/** The reply; `onDelta` gets its deltas, one after the other. */
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
