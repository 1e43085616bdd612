import { expect, it } from '@jest/globals';
import { keepContent, keepSecretsOf, type LogLine, leaksIn } from '@sluice/testkit';

keepSecretsOf(
  { gateway: { auth: { tokens: [{ token: 'token-of-alice', principal: 'alice' }] } } },
  { OPENAI_API_KEY: 'key-of-model' },
  'redis://:password%20of%20redis@127.0.0.1:6379',
  'ws://127.0.0.1:1/ws?token=token-of-bob',
  ['sluice.v1', 'bearer.token-of-carol'],
  { authorization: 'Bearer token-of-dave' },
);
keepContent({ type: 'message', content: 'said by "alice"', metadata: {} });
keepContent({ type: 'message', content: { question: 'said in an object' } });
keepContent({ type: 'message', content: 'echo' });

const kinds = (line: LogLine, level = 'info') =>
  leaksIn([{ msg: 'ready' }, line, { msg: 'drained' }], level).map((leak) =>
    leak.slice(0, leak.indexOf(' is in the log')),
  );

it('X6 logs of the tests are searched for the credentials that the tests use, at each level', () => {
  const names = ['alice', 'bob', 'carol', 'dave'].map((name) => `token-of-${name}`);
  for (const secret of [...names, 'key-of-model', 'password of redis']) {
    expect(kinds({ msg: `refused ${secret}` })).toEqual([`the secret ${secret}`]);
    expect(kinds({ error: { stack: `at ${secret}` } }, 'trace')).toEqual([`the secret ${secret}`]);
  }
  expect(kinds({ msg: 'agent of kind openai', principal: 'alice' })).toEqual([]);
});

it('X6 logs of the tests are searched for what the tests say, at the default level', () => {
  expect(kinds({ msg: 'turn', reply: 'echo: said by "alice"' })).toEqual([
    'the content said by \\"alice\\"',
  ]);
  expect(kinds({ msg: 'turn', note: 'said in an object' })).toHaveLength(1);
  expect(kinds({ msg: 'turn', note: 'said in an object' }, 'debug')).toEqual([]);
  expect(kinds({ msg: 'turn', frame: { content: 'hi' } })).toEqual(['a field for content']);
  expect(kinds({ msg: 'bad frame {"type":"message","content":"hi"}' })).toHaveLength(1);
  expect(kinds({ msg: 'turn ended', agent: 'echo' })).toEqual([]);
});
