import { clientFrameTypes, modes } from '@sluice/protocol';
import fc from 'fast-check';

const value = fc.anything({ maxDepth: 3, withNullPrototype: false });
/** Mostly messages, and many a hello, since nothing else is allowed after a leave. */
const often = ['message', 'message', 'message', 'message', 'hello', 'hello', 'hello'];
const name = fc.constantFrom('echo', 's', 'm', '7');
/** Mostly what the field should hold, now and then anything. */
const field = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: value });
const fields = fc.record(
  {
    agent_id: field(fc.constant('echo')),
    session_id: field(name),
    since: field(fc.nat(9)),
    epoch: field(fc.string()),
    content: field(fc.oneof(name, fc.object(), fc.string({ unit: 'binary', minLength: 1 }))),
    message_id: field(name),
    mode: field(fc.constantFrom(...modes)),
    metadata: field(fc.object()),
    capabilities: field(fc.array(name)),
    reason: field(fc.string()),
    ['__proto__']: value,
  },
  { requiredKeys: ['agent_id', 'content'] },
);
/** Frames of a known type whose fields are not always what they should be. */
const nearly = fc
  .record({ type: fc.constantFrom<string>(...clientFrameTypes, ...often), fields })
  .map((made) => ({ ...made.fields, type: made.type }));

const asJson = (something: unknown) =>
  JSON.stringify(something, (_, each) => (typeof each === 'bigint' ? `${each}` : each)) ?? 'null';

/** JSON with one character changed. */
const broken = fc
  .record({
    frame: nearly,
    at: fc.nat(),
    by: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  })
  .map(({ frame, at, by }) => {
    const text = asJson(frame);
    const place = at % text.length;
    return text.slice(0, place) + by + text.slice(place + 1);
  });

/** The frame of a message with this many bytes of text, or with this many nested lists. */
const large = (bytes: number) => asJson({ type: 'message', content: 'x'.repeat(bytes) });
const deep = (levels: number) =>
  `{"type":"message","content":${'['.repeat(levels)}${']'.repeat(levels)}}`;

/** Anything that a client can send on a socket: text, or a buffer for a binary frame. */
export const anyFrame = (maxPayloadBytes: number): fc.Arbitrary<string | Buffer> =>
  fc.oneof(
    { weight: 240, arbitrary: nearly.map(asJson) },
    { weight: 60, arbitrary: broken },
    { weight: 20, arbitrary: value.map(asJson) },
    { weight: 20, arbitrary: fc.string({ unit: 'binary' }) },
    {
      weight: 20,
      arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    },
    { weight: 3, arbitrary: fc.nat(5 * maxPayloadBytes).map(large) },
    { weight: 3, arbitrary: fc.nat(5_000).map(deep) },
  );
