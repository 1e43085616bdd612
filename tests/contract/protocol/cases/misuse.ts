import { expect } from '@jest/globals';
import { ask, attach, type ContractCase, isAlive, type Target } from '../target.js';

const nested = (levels: number) =>
  `{"type":"message","content":${'{"a":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}}`;

const frames: readonly (readonly [string, string | Buffer])[] = [
  ['no JSON', '{"type":"ping"'],
  ['an empty frame', ''],
  ['an array', '[]'],
  ['a string', '"message"'],
  ['a number', '7'],
  ['null', 'null'],
  ['an unknown type', '{"type":"shout","content":"x"}'],
  ['a type that is no text', '{"type":7,"content":"x"}'],
  ['a type of the object prototype', '{"type":"constructor"}'],
  ['33 levels', nested(33)],
  ['a binary frame', Buffer.from('{"type":"ping"}')],
];

export const misuse: readonly ContractCase[] = [
  ...frames.map(([what, frame]) => ({
    title: `misuse: ${what} is invalid_frame, and the connection stays`,
    async run(target: Target) {
      const { client } = await attach(target);
      expect(await ask(client, frame)).toMatchObject({
        type: 'error',
        code: 'invalid_frame',
        retryable: false,
        message: expect.any(String),
      });
      expect(await isAlive(client)).toBe(true);
    },
  })),
  {
    title: 'misuse: 32 levels are taken',
    async run(target) {
      const { client } = await attach(target);
      expect((await ask(client, nested(32))).status).toBe('accepted');
    },
  },
  {
    title: 'misuse: more than max_payload is payload_too_large, and the connection stays',
    async run(target) {
      const { client, hello } = await attach(target);
      const { max_payload } = Object(hello.policy) as { max_payload: number };
      const frame = JSON.stringify({ type: 'message', content: 'x'.repeat(max_payload) });
      expect(await ask(client, frame)).toMatchObject({
        type: 'error',
        code: 'payload_too_large',
        retryable: false,
      });
      expect(await isAlive(client)).toBe(true);
    },
  },
  {
    title: 'misuse: ten bad frames in a row close with 4028, nine and a good one do not',
    async run(target) {
      const { client } = await attach(target);
      for (let round = 0; round < 2; round += 1) {
        for (let i = 0; i < 9; i += 1) expect((await ask(client, 'x')).type).toBe('error');
        if (round === 0) expect(await isAlive(client)).toBe(true);
      }
      client.sendRaw('x');
      expect(await client.closed).toMatchObject({ code: 4028, reason: 'too_many_invalid_frames' });
    },
  },
];
