import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { betweenFailpoints } from '@sluice/runtime';
import { failpointCalls } from '@sluice/store';
import {
  FrameClient,
  GatewayFailed,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';

describe('failpoints', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });

  const start = (env: Readonly<Record<string, string>>) =>
    startGateway({ redisUrl: redis.url, config: { agents: { echo: { kind: 'echo' } } }, env });

  it.each([
    'turn-comit.before',
    'turn-commit',
    'turn-commit.during',
    'turn-commit.before:0',
    'turn-commit.before:x',
  ])('C2 %s is no failpoint: exit status 78 and a list of those that exist', async (name) => {
    const failure = await start({ SLUICE_FAILPOINT: name }).catch((error: unknown) => error);
    if (!(failure instanceof GatewayFailed)) throw new Error(`it started: ${failure}`);
    expect(failure.exit).toMatchObject({ code: 78, signal: null });
    expect(failure.output).toContain(`SLUICE_FAILPOINT=${name}`);
    expect(failure.output).toContain('<call>.<before|after>[:<n>]');
    expect(failpointCalls.filter((call) => !failure.output.includes(call))).toEqual([]);
  });

  it.each(['inbox-append.before', 'no-such-call.before'])(
    'C2 %s is not even read in production',
    async (name) => {
      const node = await start({ NODE_ENV: 'production', SLUICE_FAILPOINT: name });
      const client = await FrameClient.connect(node.wsUrl);
      await client.hello();
      const final = await client.final(client.message('hello'));
      expect(final).toMatchObject({ content: 'echo: hello' });
      expect(await node.stop()).toMatchObject({ code: 0, signal: null });
    },
  );

  it('C2 the n-th pass is the last one', async () => {
    const node = await start({ SLUICE_FAILPOINT: 'inbox-append.after:2' });
    const client = await FrameClient.connect(node.wsUrl);
    await client.hello();
    await client.final(client.message('first'));
    client.message('second');
    expect(await node.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('cost a call only a look when none is armed', () => {
    const called = Promise.resolve('reply');
    expect(betweenFailpoints('turn-commit', () => called)).toBe(called);
  });

  it('are all listed in docs/internals/failpoints.md, and no other is', () => {
    const text = readFileSync(join(process.cwd(), 'docs', 'internals', 'failpoints.md'), 'utf8');
    const section = text.split('## The calls')[1] ?? '';
    const listed = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, call]) => call);
    expect(listed.sort()).toEqual([...failpointCalls].sort());
  });
});
