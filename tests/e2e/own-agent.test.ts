import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { FrameClient, startRedis, stopLater } from '@sluice/testkit';
import { plainEnv, startScript } from '../support/setup/setup-clone.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const agents = readFileSync(join(repository, 'docs/guide/agents.md'), 'utf8');
const [, module = ''] = /\n## module\n[\s\S]*?```js\n([\s\S]*?)```/.exec(agents) ?? [];

describe('an agent of ones own', () => {
  it('T1 the module of docs/guide/agents.md runs in an empty folder', async () => {
    const redis = await startRedis();
    const folder = mkdtempSync(join(tmpdir(), 'sluice-agent-'));
    writeFileSync(join(folder, 'my.mjs'), module);
    const words = [join(repository, 'bin/sluice'), 'start', '--agent', './my.mjs'];
    const flags = ['--gateway.port', '0', '--redis.url', redis.url];
    const node = startScript(folder, [...words, ...flags], plainEnv());
    stopLater(async () => {
      node.child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const [, port] = await node.seen(/"port":(\d+).*"msg":"ready"/);
    const info = await fetch(`http://127.0.0.1:${port}/info`);
    const id = Object((await info.json()) ?? {}).agents[0].id;
    const client = await FrameClient.connect(`ws://127.0.0.1:${port}/ws`);
    await client.hello({ agent_id: id });
    const final = await client.final(client.message('hi there'));
    expect(final).toMatchObject({ outcome: { status: 'ok' }, content: 'You said hi there' });
  });
});
