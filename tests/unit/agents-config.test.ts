import { describe, expect, it } from '@jest/globals';
import { agentKeys, agentSchema } from '@sluice/agents';

function faults(entry: unknown): string[] {
  const { error } = agentSchema.safeParse(entry);
  return (error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

describe('agents of a configuration', () => {
  it('takes the http example of the documentation', () => {
    const entry = {
      kind: 'http',
      url: 'http://127.0.0.1:9000/turn',
      secret: 's3cret',
      max_concurrent: 200,
      retry: { initial: '200ms', factor: 2, max: '10s' },
      timeout: '5m',
      history: '1MiB',
    };
    expect(agentSchema.parse(entry)).toEqual({
      kind: 'http',
      url: 'http://127.0.0.1:9000/turn',
      secret: 's3cret',
      maxConcurrent: 200,
      retry: { initialMs: 200, factor: 2, maxMs: 10_000, forMs: 60_000 },
      timeoutMs: 300_000,
      historyBytes: 1_048_576,
    });
  });

  it('fills in the defaults of an http agent', () => {
    expect(agentSchema.parse({ kind: 'http', url: 'http://127.0.0.1:9000/' })).toMatchObject({
      retry: { initialMs: 200, factor: 2, maxMs: 10_000 },
      timeoutMs: 300_000,
      historyBytes: 1_048_576,
    });
  });

  it('B1 sends a model as much history as common ones take', () => {
    expect(agentSchema.parse({ model: 'gpt-4o-mini' })).toMatchObject({ historyBytes: 262_144 });
  });

  it.each([{ model: 'gpt-4o-mini' }, { model: 'gpt-4o-mini', instructions: 'Be brief.' }])(
    'is an openai agent without a kind: %j',
    (entry) => {
      expect(agentSchema.parse(entry)).toMatchObject({ kind: 'openai', ...entry });
    },
  );

  it('reads a plain delay_ms as milliseconds and a plain timeout as seconds', () => {
    expect(agentSchema.parse({ kind: 'echo', delay_ms: 200 })).toMatchObject({ delayMs: 200 });
    expect(agentSchema.parse({ kind: 'echo', delay_ms: '200' })).toMatchObject({ delayMs: 200 });
    expect(agentSchema.parse({ kind: 'echo', delay_ms: '2s' })).toMatchObject({ delayMs: 2_000 });
    const entry = { kind: 'http', url: 'http://localhost/', timeout: 90 };
    expect(agentSchema.parse(entry)).toMatchObject({ timeoutMs: 90_000 });
  });

  it('takes limits as small as 1', () => {
    const entry = { kind: 'http', url: 'http://localhost/', max_concurrent: 1, history: 1 };
    expect(agentSchema.parse(entry)).toMatchObject({ maxConcurrent: 1, historyBytes: 1 });
  });

  it.each<[string, unknown, string[]]>([
    ['an unknown key', { kind: 'echo', dely_ms: 1 }, [': Unrecognized key: "dely_ms"']],
    [
      'an unknown kind',
      { kind: 'ehco' },
      ['kind: must be one of echo, openai, http, module, command'],
    ],
    ['no kind', {}, ['kind: must be one of echo, openai, http, module, command']],
    [
      'no command',
      { kind: 'command' },
      ['command: must be a command line, as text or as a list of words'],
    ],
    ['an empty command', { kind: 'command', command: [] }, ['command: must not be empty']],
    ['nothing at all', null, [': must be a map of settings, such as {kind: echo}']],
    ['no model', { instructions: 'Be brief.' }, ['model: must be given, as text']],
    ['no url', { kind: 'http' }, ['url: must be an http:// or https:// URL']],
    [
      'credentials in the url',
      { kind: 'http', url: 'http://me:word@localhost/' },
      ['url: must not carry credentials; sign requests with `secret` instead'],
    ],
    ['no limit', { kind: 'echo', max_concurrent: 0 }, ['max_concurrent: must be at least 1']],
    [
      'a timeout that timers cannot hold',
      { kind: 'http', url: 'http://localhost/', timeout: '90d' },
      ['timeout: must be at most 24d'],
    ],
  ])('refuses %s', (_what, entry, expected) => {
    expect(faults(entry)).toEqual(expected);
  });

  it('reports all faults of an entry at once', () => {
    const entry = { kind: 'http', url: 'ftp://x', timeout: 'soon', history: 'much', colour: 'red' };
    expect(faults(entry)).toEqual([
      'timeout: must be a duration: seconds as a number, or "500ms", "10s", "5m", "24h"',
      'history: must be a size: bytes as a number, or "64KiB", "1MiB"',
      'url: must be an http:// or https:// URL',
      ': Unrecognized key: "colour"',
    ]);
  });

  it('names the keys of every kind', () => {
    expect(Object.keys(agentKeys)).toEqual(['echo', 'openai', 'http', 'module', 'command']);
    expect(agentKeys.http).toContain('secret_file');
  });
});
