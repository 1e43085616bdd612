import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FrameClient, type GatewayProcess, startRedis, UpgradeRefused } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const ops = 'ops-d41f7a09c3b85e62';
const user = 'user-73c0e5b1f92a4d88';

describe('gateway.admin_port', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  let adminUrl: string;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    const tokens = [
      { token: ops, principal: 'ops', scopes: ['admin'] },
      { token: user, principal: 'alice' },
    ];
    node = await cluster.start({ gateway: { admin_port: 0, auth: { tokens } } });
    const ready = await node.waitForLog(({ msg }) => msg === 'ready');
    adminUrl = `http://127.0.0.1:${ready.admin_port}`;
  });
  afterAll(() => cluster.stop());

  const ask = async (url: string, token?: string, method = 'GET', more = {}) => {
    const headers = { ...(token ? { authorization: `Bearer ${token}` } : {}), ...more };
    return (await fetch(url, { method, headers })).status;
  };
  const paths: [string, string, number][] = [
    ['GET', '/v1/dead-letters', 200],
    ['POST', '/v1/dead-letters/none/retry', 404],
    ['DELETE', '/v1/dead-letters/none', 404],
  ];

  it('X1 has everything for scope admin; the main port has the rest, without that scope', async () => {
    for (const [method, path, status] of paths) {
      const asked = {
        ...{ path, admin: await ask(adminUrl + path, ops, method) },
        ...{ denied: await ask(adminUrl + path, user, method), none: await ask(adminUrl + path) },
        main: await ask(node.url + path, ops, method),
      };
      expect(asked).toEqual({ path, admin: status, denied: 403, none: 401, main: 404 });
    }
    for (const path of ['/info', '/v1/sessions']) {
      expect({ path, status: await ask(adminUrl + path, ops) }).toEqual({ path, status: 200 });
      expect({ path, status: await ask(adminUrl + path, user) }).toEqual({ path, status: 403 });
      expect({ path, status: await ask(node.url + path, ops) }).toEqual({ path, status: 200 });
    }
    expect(await ask(`${adminUrl}/ws`, ops)).toBe(404);
    expect(await ask(`${adminUrl}/`, ops)).toBe(404);
    for (const url of [adminUrl, node.url]) {
      for (const probe of ['/health', '/ready', '/live']) expect(await ask(url + probe)).toBe(200);
      expect(
        await ask(`${url}/v1/dead-letters`, ops, 'GET', { origin: 'https://evil.example' }),
      ).toBe(403);
    }
    const socket = FrameClient.connect(`${adminUrl.replace('http', 'ws')}/ws`, { token: user });
    await expect(socket).rejects.toThrow(UpgradeRefused);
  });

  it('X2 scope admin crosses principals there, and not on the main port', async () => {
    const client = await FrameClient.connect(node.wsUrl, { token: user });
    const { session_id } = await client.hello({ agent_id: 'slow' });
    await client.final(client.message('mine'));
    await client.close();
    const acts: [string, string, number][] = [
      ['GET', `/v1/sessions/${session_id}?principal=alice`, 200],
      ['HEAD', `/v1/sessions/${session_id}/events?principal=alice`, 200],
      ['GET', '/v1/sessions?principal=alice', 200],
      ['POST', `/v1/sessions/${session_id}/abort?principal=alice`, 200],
      ['DELETE', `/v1/sessions/${session_id}?principal=alice`, 200],
    ];
    for (const [method, path, status] of acts) {
      const main = await ask(node.url + path, ops, method);
      const asked = { method, path, main, admin: await ask(adminUrl + path, ops, method) };
      expect(asked).toEqual({ method, path, main: 403, admin: status });
    }
    const listed = async (url: string) => {
      const headers = { authorization: `Bearer ${ops}` };
      return Object(await (await fetch(`${url}/v1/sessions`, { headers })).json()).sessions.length;
    };
    const other = await FrameClient.connect(node.wsUrl, { token: user });
    await other.hello({ agent_id: 'slow' });
    expect({ main: await listed(node.url), admin: await listed(adminUrl) }).toEqual({
      ...{ main: 0, admin: 1 },
    });
    await other.close();
  });

  it('D1 answers probes until the node has drained', async () => {
    const client = await FrameClient.connect(node.wsUrl, { token: user });
    await client.hello({ agent_id: 'slow' });
    node.signal('SIGTERM');
    await client.waitFor({ type: 'going_away' });
    expect(await ask(`${adminUrl}/ready`)).toBe(503);
    expect(await ask(`${adminUrl}/live`)).toBe(200);
    expect((await node.exited).code).toBe(0);
  });
});
