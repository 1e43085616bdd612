import { describe, expect, it } from '@jest/globals';
import { decodePublished, streamFields } from '@sluice/store';
import { BuiltEvent } from '../../apps/gateway/src/edge/delivery/frames.js';

const TEXTS = [
  'plain',
  '',
  'é',
  '日本語',
  '👩‍🚀',
  '"\\\n\u0000',
  'lone \ud800 and \udc00',
  '\ud83d',
];
const session = { sessionId: 's "1"', agentId: 'é' };

/** As a script publishes it. */
const record = (seq: number, fields: readonly string[]) =>
  `7 ${seq} 5 ${fields.map((field) => Buffer.byteLength(field))}\n${fields.join('')}`;
const delta = (content: string) => [
  ...streamFields('token_stream', 'm1', { content }),
  ...['u', 't1', 'a', '2'],
];
const decode = (text: string) => decodePublished(Buffer.from(text));

describe('a publication', () => {
  it.each(TEXTS)('says what the worker said, and so does its frame: %j', (text) => {
    const fields = delta(text);
    const [event] = decode(record(3, fields)) ?? [];
    expect(event).toMatchObject({ kind: 'stream', seq: 3, epoch: '7', atMs: 5, attempt: 2 });
    if (event?.kind !== 'stream') throw new Error('no stream event');
    const built = new BuiltEvent(event, session);
    const frame = {
      type: 'token_stream',
      data: { content: text, session_id: 's "1"', message_id: 'm1', turn_id: 't1', attempt: 2 },
      ...{ event_id: '7:3', timestamp: 0.005, source: 'é', target: 's "1"', cursor: 3, seq: 3 },
    };
    expect(JSON.parse(built.bytes.toString())).toEqual(frame);
    expect(JSON.parse(built.replayBytes.toString())).toEqual({
      type: 'replay',
      event: {
        ...{ type: 'token_stream', data: frame, event_id: '7:3', timestamp: 0.005 },
        ...{ source: 'é', target: 's "1"', sequence: 3 },
      },
      seq: 3,
    });
  });

  it('E1 holds every event of its script; known ones are not read', () => {
    const text = TEXTS.map((content, at) => record(at + 1, delta(content))).join('');
    const all = decode(text) ?? [];
    expect(all.map((event) => event.kind === 'stream' && JSON.parse(event.data).content)).toEqual(
      TEXTS,
    );
    expect(decodePublished(Buffer.from(text), ({ seq }) => seq <= 3)).toEqual(all.slice(3));
    expect(decodePublished(Buffer.from(text), () => true)).toEqual([]);
  });

  it('E1 of an unknown kind, or empty, keeps its seq', () => {
    expect(decode('7 3 5 1,1\ntZ')).toEqual([{ kind: 'opaque', epoch: '7', seq: 3, atMs: 5 }]);
    expect(decode('7 3 5 0,0\n')).toMatchObject([{ kind: 'opaque', seq: 3 }]);
  });

  it.each([
    ...[
      '',
      'garbage',
      '1 2',
      '1 2 3 ',
      '1 2 3 {',
      '1 x 3 []',
      '1 2 3 {"t":"f"}',
      '1 2 3 [',
      '1 2 3 []x',
    ],
    ...[
      '1 2 3 1,1',
      '1 2 3 1,1\nt',
      '1 2 3 1\nt',
      '1 2 3 1,1,1\ntdm',
      '1 2 3 1,1\ntdx',
      '-1 2 3 0,0\n',
    ],
    ...['1 2 3 1,99999999999999999999\nt', `${record(1, delta('é'))}1 2`, ' 1 2 3 0,0\n'],
  ])('that is malformed is read from the log: %j', (text) => {
    expect(decode(text)).toBeUndefined();
  });

  it('E1 that ends early is read from the log, wherever it ends', () => {
    const whole = Buffer.from(record(1, delta('日本')) + record(2, delta('b')));
    const first = Buffer.byteLength(record(1, delta('日本')));
    for (let end = 0; end < whole.length; end++) {
      if (end !== first) expect(decodePublished(whole.subarray(0, end))).toBeUndefined();
    }
  });

  it('an event whose data is no object has no frame', () => {
    const [event] = decode('7 3 5 1,1,1,4\ntddnull') ?? [];
    if (event?.kind !== 'stream') throw new Error('no stream event');
    expect(() => new BuiltEvent(event, session)).toThrow('no object');
  });
});
