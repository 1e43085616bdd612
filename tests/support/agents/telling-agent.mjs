/** A module's own copy of the class of the port. */
class RetryableError extends Error {
  name = 'RetryableError';
}

/** Says it in every way that an agent has: in its reply, beside it, and in the error with which it fails. */
const said = process.env.TELLING_AGENT_SAYS ?? 'nothing';

export default {
  usesHistory: false,
  async *run({ content }) {
    if (content.startsWith('fail')) throw new RetryableError(`the agent says ${said}`);
    yield { type: 'reasoning', content: said };
    yield { type: 'tool_call', tool_call: { name: said, arguments: { [said]: said } } };
    if (content.startsWith('error')) yield { type: 'error', message: `the agent says ${said}` };
    return { content: said, usage: { [said]: 1 } };
  },
};
