import { describe, expect, it } from '@jest/globals';
import { withoutContent } from '../../apps/gateway/dist/worker/turns/without-content.js';

describe("an agent's exception in the log", () => {
  it('X6 keeps its name, text and stack, and loses what the message says', () => {
    const content = { question: 'where is "my" parcel?', tags: ['a', 'private'] };
    const quoted = `cannot answer ${JSON.stringify(content)} of a private person`;
    const error = new RangeError(quoted, { cause: new Error('no parcel: where is "my" parcel?') });
    const seen = withoutContent(error, content);
    expect(seen.name).toBe('RangeError');
    expect(seen.message).toBe('cannot answer [content] of a [content] person');
    expect(seen.stack).toContain('worker-without-content.test');
    expect(String(seen.cause)).toBe('Error: no parcel: [content]');
    expect(`${seen.stack}${seen.cause}`).not.toMatch(/parcel\?|private/);
  });

  it('B1 is bounded, whatever was thrown', () => {
    const loop = new Error('x'.repeat(100_000));
    loop.cause = loop;
    expect(String(withoutContent(loop, 'hello')).length).toBeLessThan(5_000);
    expect(withoutContent(Object.create(null), 'hello').message).toContain('Object');
    expect(withoutContent('said hello', 'hello').message).toBe("'said [content]'");
  });
});
