import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@sluice/testkit';
import { checkAgents } from '../../apps/cli/src/doctor/agents.js';
import { directory, load } from '../support/edge/config-loaded.js';

/** What doctor says about one agent. */
async function verdict(entry: Record<string, unknown>) {
  const config = load({ flags: { agents: JSON.stringify({ a: entry }) } });
  const [finding, ...more] = await checkAgents(config, directory());
  expect(more).toEqual([]);
  return finding;
}
const node = (script: string) => ({ kind: 'command', command: [process.execPath, '-e', script] });

describe('what sluice doctor says of agents', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterAll(() => {
    server.close();
  });

  it('fails where nobody listens, whatever the kind', async () => {
    const nobody = await freePort();
    for (const entry of [
      { kind: 'http', url: `http://127.0.0.1:${nobody}/turn` },
      { model: 'm', api_key: 'k', base_url: `http://127.0.0.1:${nobody}/v1` },
    ]) {
      expect(await verdict(entry)).toMatchObject({
        status: 'FAIL',
        what: `agent a: nobody listens at 127.0.0.1:${nobody} (ECONNREFUSED)`,
        remedy: expect.stringMatching(/^start the server there, or correct agents\.a\.(base_)?url/),
      });
    }
    for (const entry of [
      { kind: 'http', url: `http://127.0.0.1:${port}/turn` },
      { model: 'm', api_key: 'k', base_url: `http://127.0.0.1:${port}/v1` },
    ]) {
      expect(await verdict(entry)).toMatchObject({ status: 'ok' });
    }
  });

  it('fails for a program that ends at once, and says what it said', async () => {
    expect(await verdict(node('console.error("no model.bin"); process.exit(3)'))).toMatchObject({
      status: 'FAIL',
      what: 'agent a: its program ended at once with status 3, saying "no model.bin"',
    });
    expect(await verdict(node(''))).toMatchObject({
      status: 'FAIL',
      what: 'agent a: its program ended at once with status 0',
    });
    expect(await verdict(node('process.stdin.resume()'))).toMatchObject({ status: 'ok' });
    expect(await verdict({ kind: 'command', command: ['/no/such/program'] })).toMatchObject({
      status: 'FAIL',
    });
  });
});
