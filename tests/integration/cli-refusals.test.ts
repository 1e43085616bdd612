import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sluice } from '../support/cluster/sluice.js';

// Each command is a process of its own, and a busy machine starts it slowly.
jest.setTimeout(90_000);

/** Answers of a gateway, or of something else, by the path. */
const answers: Record<string, { status: number; body: string }> = {
  '/draining': refusal(
    503,
    'draining',
    'this node is stopping; come again, another one answers',
    true,
  ),
  '/away': refusal(503, 'unavailable', 'Redis is not reachable; try again', true),
  '/limited': refusal(429, 'rate_limited', 'too many requests', true),
  '/origin': refusal(403, 'origin_not_allowed', 'This host is not allowed.', false),
  '/newer': refusal(404, 'not_found', 'no such path', false),
  '/bug': refusal(500, 'internal', 'unexpected failure', true),
  '/balancer': { status: 502, body: '<html>Bad Gateway</html>' },
  '/website': { status: 200, body: '<html>Welcome</html>' },
  '/broken': { status: 200, body: '{"nodes":[' },
};

function refusal(status: number, code: string, message: string, retryable: boolean) {
  return { status, body: JSON.stringify({ error: { code, message, retryable } }) };
}

describe('what the command line says of a refusal', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const place = `/${request.url?.split('/')[1]}`;
      const { status, body } = answers[place] ?? { status: 404, body: '' };
      response.writeHead(status).end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${Object(server.address()).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([
    ['/draining', 75, /answered 503: this node is stopping; .*; try again, or give another node/],
    ['/away', 75, /answered 503: Redis is not reachable; try again; sluice doctor checks Redis$/],
    ['/limited', 75, /answered 429: too many requests; try again later$/],
    ['/origin', 1, /answered 403: This host is not allowed; .*gateway\.allowed_origins$/],
    ['/newer', 1, /answered 404: no such path; where gateway\.admin_port is set, give --url with/],
    ['/bug', 75, /answered 500: unexpected failure; try again; the log of the node says more$/],
    [
      '/balancer',
      75,
      /answered 502: no answer of a Sluice gateway; is there a gateway at --url \(SLUICE_URL\)\?$/,
    ],
    [
      '/website',
      1,
      /answered 200: no answer of a Sluice gateway; is there a gateway at --url \(SLUICE_URL\)\?$/,
    ],
    ['/broken', 1, /answered 200: no answer of a Sluice gateway/],
  ])('C3 D1 %s ends with %i, names the call, and says what to do', async (path, code, why) => {
    const { status, stdout, stderr } = await sluice(['nodes', '--url', url + path]);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    const [line = '', ...more] = stderr.trimEnd().split('\n');
    expect([line, more]).toEqual([expect.stringMatching(why), []]);
    expect(line.startsWith(`sluice: GET ${url}${path}/v1/nodes`)).toBe(true);
  });

  it('X6 nothing that a gateway says steers the terminal', async () => {
    answers['/steers'] = refusal(404, 'not_found', 'no \u001b[2J such\u0007 node', false);
    const { stderr } = await sluice(['nodes', 'drain', 'x', '--url', `${url}/steers`]);
    expect(stderr).toContain('answered 404: no [2J such node; sluice nodes shows all nodes');
  });
});
