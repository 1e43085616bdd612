import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { clientFrameTypes, decode, serverFrameTypes, streamTypes } from '@sluice/protocol';
import { framesJsonSchema } from '@sluice/protocol/json-schema';
import { checkFrame, drawnSeed, faultOf, frameSchema } from '@sluice/testkit';
import fc from 'fast-check';
import { anyFrame } from '../fuzz/any-frame.js';

const published = JSON.parse(
  readFileSync(new URL('../../docs/reference/frames.schema.json', import.meta.url), 'utf8'),
);

/** One valid frame of each type; spoiled below. */
const examples: Record<string, Record<string, unknown>> = {
  hello: { agent_id: 'echo', protocol: { min: 1, max: 1 }, capabilities: ['ack'], since: 3 },
  join: { agent_id: 'echo', min_version: 1, since: '12' },
  message: { content: 'hello', message_id: 'm-1', mode: 'collect', metadata: { tags: [] } },
  abort: { reason: 'user' },
  message_abort: {},
  cancel: { message_id: 'm-1' },
  snapshot: {},
  leave: {},
  ping: {},
  pong: {},
};

/** Values at the limits of some field, and just beyond. */
const limits: unknown[] = [
  ...[-1, -0, 0, 1, 1.5, 2 ** 53 - 1, 2 ** 53, 1e300, true, false, null],
  ...['', 'a', '7', '007', '-1', 'a b', 'ä', 'a:b', 'a@b', 'a\n', 'collect', '/stop', '\ud800'],
  ...[32, 128, 256].flatMap((length) =>
    ['x', '7', '\u{1f600}'].flatMap((c) => [c.repeat(length), c.repeat(length + 1)]),
  ),
  ...[[], ['ack'], [1], Array(64).fill('a'), Array(65).fill('a')],
  ...[{}, { min: 1 }, { min: -1 }, { max: 'a' }, { a: { b: [null] } }],
];
const names = [
  ...['type', 'agent_id', 'protocol_min', 'protocol_max', 'protocol', 'capabilities', 'caps'],
  ...['session_id', 'since', 'epoch', 'metadata', 'min_version', 'max_version', 'content', 'text'],
  ...['message_id', 'mode', 'in_reply_to', 'reason', 'else'],
];
const spoiled = fc
  .record({
    type: fc.constantFrom(...clientFrameTypes),
    named: fc.boolean(),
    left: fc.subarray(names),
    put: fc.dictionary(fc.constantFrom(...names), fc.constantFrom(...limits), {
      minKeys: 1,
      maxKeys: 3,
    }),
  })
  .map(({ type, named, left, put }) => {
    const frame = { ...(named || type !== 'message' ? { type } : {}), ...examples[type], ...put };
    const few = left.length < 4 ? left : [];
    return Object.fromEntries(Object.entries(frame).filter(([name]) => !few.includes(name)));
  })
  .map((frame) => JSON.stringify(frame));

/** Undefined for texts that say nothing about the schema: it checks no syntax, depth or exactness of JSON. */
function parsed(text: string): { value: unknown } | undefined {
  const refused = decode(text);
  if (
    refused.kind === 'refused' &&
    /nest at most|cannot be kept|would be rounded/.test(refused.message)
  )
    return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

describe('docs/reference/frames.schema.json', () => {
  it('is what npm run frames-schema writes', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(framesJsonSchema())));
  });

  it('has the types of frames that code knows, no more and no fewer', () => {
    const typesOf = (direction: string) =>
      published.$defs[direction].anyOf
        .map(({ $ref }: { $ref: string }) => $ref.replace(`#/$defs/${direction}.`, ''))
        .sort();
    expect(typesOf('client')).toEqual([...clientFrameTypes].sort());
    expect(typesOf('server')).toEqual([...serverFrameTypes, ...streamTypes].sort());
    expect(Object.keys(examples).sort()).toEqual([...clientFrameTypes].sort());
  });

  it.each([1, 2, drawnSeed])('X4 accepts and refuses what decode does (seed %i)', (seed) => {
    const validate = frameSchema('client');
    const counts = { accepted: 0, refused: 0 };
    const texts = fc.oneof(
      { weight: 4, arbitrary: spoiled },
      { weight: 1, arbitrary: anyFrame(1_000).filter((it) => typeof it === 'string') },
    );
    fc.assert(
      fc.property(texts, (text) => {
        const it = parsed(text);
        if (!it) return;
        const accepted = decode(text).kind === 'frame';
        counts[accepted ? 'accepted' : 'refused']++;
        expect({ text, accepted: validate?.(it.value) }).toEqual({ text, accepted });
      }),
      { seed, numRuns: 2_000 },
    );
    expect(counts.accepted).toBeGreaterThan(200);
    expect(counts.refused).toBeGreaterThan(200);
  });

  it('refuses server frames with a field too many, too few or of another type', () => {
    const left = { type: 'left', session_id: 's' };
    expect(faultOf(left)).toBeUndefined();
    expect(faultOf({ type: 'left' })).toMatch(/required.*session_id/);
    expect(faultOf({ ...left, n: 1 })).toMatch(/additionalProperties/);
    expect(faultOf({ type: 'going' })).toMatch(/no such type/);
    expect(checkFrame(left)).toBeUndefined();
  });
});
