import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { Exchange, HttpStream, Route } from '../../apps/gateway/src/edge/network/transport.js';
import { started, until } from '../support/edge/edge-started.js';

const page = new URL('../../apps/gateway/public/index.html', import.meta.url).pathname;

const routes: Route[] = [
  {
    method: 'GET',
    path: '/health',
    access: 'public',
    run: ({ reply, identity }) => reply.json(200, { status: 'ok', who: identity.principal }),
  },
  {
    method: 'GET',
    path: '/v1/sessions/:id',
    access: 'read',
    run: ({ reply, params, identity, request: { query } }) =>
      reply.json(200, { ...params, who: identity.principal, before: query.get('before') }),
  },
  {
    method: 'POST',
    path: '/v1/sessions/:id/messages',
    access: 'write',
    run: async ({ request: incoming, reply, params }) => {
      // Read late on purpose: the body must still be there.
      await new Promise((resolve) => setTimeout(resolve, 20));
      const body = await incoming.body(800);
      if (body === 'aborted') return;
      reply.json(202, { ...params, body, type: incoming.header('content-type') });
    },
  },
  {
    method: 'GET',
    path: '/fails',
    access: 'read',
    run: async () => {
      await Promise.resolve();
      throw new Error('a bug');
    },
  },
];

/** fetch() does not let a test choose the Host header. */
async function statusWithHost(url: string, host: string): Promise<number> {
  const sent = request(url, { headers: { host } }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

const alice = { authorization: 'Bearer alice-secret' };
const reader = { authorization: 'Bearer reader-secret' };

describe('credentials and scopes', () => {
  it('X1 answers public paths without credentials, and nothing else', async () => {
    const { url } = await started({ auth: true, routes, publicFile: page });
    for (const path of ['/health', '/', '/favicon.ico']) {
      expect([path, (await fetch(url + path)).ok]).toEqual([path, true]);
    }
    for (const path of ['/v1/sessions/a', '/nothing', '/ws', '/fails', '/metrics']) {
      const response = await fetch(url + path);
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      const body: unknown = await response.json();
      expect(body).toMatchObject({ error: { code: 'auth_required', retryable: false } });
    }
    const wrong = await fetch(`${url}/v1/sessions/a?token=guess`);
    expect(wrong.status).toBe(401);
    expect(await wrong.json()).toMatchObject({ error: { code: 'auth_unauthorized' } });
  });

  it('takes header and query, and passes the identity on', async () => {
    const { url, logged } = await started({ auth: true, routes });
    const byHeader = await fetch(`${url}/v1/sessions/a%40b%3A1?before=4`, { headers: alice });
    expect(await byHeader.json()).toEqual({ id: 'a@b:1', who: 'alice', before: '4' });
    const byQuery = await fetch(`${url}/v1/sessions/s?token=reader-secret`);
    expect(await byQuery.json()).toMatchObject({ who: 'reader' });
    expect(logged.join()).not.toContain('secret');
  });

  it('checks origin, then credentials, then scope', async () => {
    const { url } = await started({ auth: true, routes });
    const post = async (headers: Record<string, string>) => {
      const init = { method: 'POST', headers, body: '{}' };
      const response = await fetch(`${url}/v1/sessions/s/messages`, init);
      return [response.status, Object(await response.json()).error?.code];
    };
    const evil = { origin: 'https://evil.example' };
    expect(await post(evil)).toEqual([403, 'origin_not_allowed']);
    expect(await post({ ...evil, ...alice })).toEqual([403, 'origin_not_allowed']);
    expect(await post({})).toEqual([401, 'auth_required']);
    expect(await post(reader)).toEqual([403, 'insufficient_scope']);
    expect(await post(alice)).toEqual([202, undefined]);
  });

  it('X3 without credentials refuses foreign host names and origins on every path', async () => {
    const { url } = await started({ routes, publicFile: page });
    for (const path of ['/', '/health', '/v1/sessions/s', '/nothing']) {
      const origin = 'http://rebound.example';
      expect((await fetch(url + path, { headers: { origin } })).status).toBe(403);
      expect(await statusWithHost(url + path, 'rebound.example')).toBe(403);
    }
    expect(await statusWithHost(`${url}/health`, 'localhost:1')).toBe(200);
    const local = await fetch(`${url}/v1/sessions/s`, {
      headers: { origin: 'http://localhost:1' },
    });
    expect(await local.json()).toMatchObject({ who: 'local' });
  });
});

describe('CORS', () => {
  it('answers a preflight without credentials, and echoes listed origins only', async () => {
    const { url } = await started({ auth: true, routes });
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const preflight = await fetch(`${url}/v1/sessions/s`, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('DELETE');
    expect(preflight.headers.get('access-control-allow-headers')).toBe(
      'authorization, content-type, last-event-id',
    );
    const evil = { ...headers, origin: 'https://evil.example' };
    const refused = await fetch(`${url}/v1/sessions/s`, { method: 'OPTIONS', headers: evil });
    expect(refused.status).toBe(403);
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    const answer = await fetch(`${url}/v1/sessions/s`, { headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('access-control-expose-headers')).toBe('retry-after, sluice-outcome');
    expect(answer.headers.get('vary')).toBe('origin');
  });
});

describe('routes', () => {
  it('answers 404, 405 with Allow, 426 and HEAD', async () => {
    const { url } = await started({ routes });
    const status = async (path: string, method = 'GET') => {
      const response = await fetch(url + path, { method });
      return { status: response.status, allow: response.headers.get('allow') };
    };
    expect(await status('/nothing')).toEqual({ status: 404, allow: null });
    expect(await status('/v1/sessions/%E0')).toEqual({ status: 404, allow: null });
    expect(await status('/v1/sessions/')).toEqual({ status: 404, allow: null });
    expect(await status('/v1/sessions/s', 'PUT')).toEqual({
      status: 405,
      allow: 'GET, HEAD, OPTIONS',
    });
    expect(await status('/v1/sessions/s/messages')).toEqual({
      status: 405,
      allow: 'POST, OPTIONS',
    });
    expect(await status('/ws')).toMatchObject({ status: 426 });
    const head = await fetch(`${url}/health`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(10);
    expect(await head.text()).toBe('');
  });

  it('answers 500 when a route fails, logs why, and lives', async () => {
    const { url, logged } = await started({ routes });
    const response = await fetch(`${url}/fails?token=alice-secret`);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: { code: 'internal', message: 'The gateway failed.', retryable: true },
    });
    expect(logged.join()).toContain('a bug');
    expect(logged.join()).not.toContain('alice-secret');
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('serves the page with a policy that matches it', async () => {
    const { url } = await started({ publicFile: page });
    const response = await fetch(`${url}/`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/script-src 'sha256-[^']+'; style-src 'sha256-[^']+';/);
    expect(policy).toContain("connect-src 'self' ws: wss:");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await response.text()).toMatch(/^<!doctype html>/i);
  });
});

describe('bodies', () => {
  const post = (url: string, body: string) =>
    fetch(`${url}/v1/sessions/s/messages`, { method: 'POST', body });

  it('reads a body after an await, up to both limits', async () => {
    const { url } = await started({ routes });
    const read = async (body: string) => Object(await (await post(url, body)).json()).body;
    expect(await read('grüß dich')).toBe('grüß dich');
    expect(await read('')).toBe('');
    expect(await read('x'.repeat(800))).toHaveLength(800);
    expect(await read('x'.repeat(801))).toBe('too_large');
    expect(await read('x'.repeat(2_000_000))).toBe('too_large');
  });

  it('tells a route whose client goes away', async () => {
    const seen: string[] = [];
    const waits: Route = {
      method: 'POST',
      path: '/waits',
      access: 'write',
      run: async ({ request: incoming, reply }) => {
        reply.onAborted(() => seen.push('aborted'));
        seen.push(await incoming.body(100));
        reply.json(200, {});
        seen.push(String(reply.aborted));
      },
    };
    const { server, url } = await started({ routes: [...routes, waits] });
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST /waits HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await until(() => seen.length === 3, 'the abort');
    expect(seen).toEqual(['aborted', 'aborted', 'true']);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe('streams', () => {
  async function streaming() {
    const streams: HttpStream[] = [];
    const exchanges: Exchange[] = [];
    const route: Route = {
      method: 'GET',
      path: '/events',
      access: 'read',
      run: (exchange) => {
        exchanges.push(exchange);
        const headers = { 'content-type': 'text/event-stream' };
        streams.push(exchange.reply.stream(200, headers));
      },
    };
    const made = await started({ routes: [route] });
    const stream = (): HttpStream => {
      const [opened] = streams;
      if (opened === undefined) throw new Error('no stream is open');
      return opened;
    };
    return { ...made, stream, exchanges };
  }

  it('sends the head at once, then what is written, then a proper end', async () => {
    const { url, stream } = await streaming();
    const response = await fetch(`${url}/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    stream().write('data: grüß\n\n');
    stream().end();
    stream().write('late');
    stream().cut();
    expect(await response.text()).toBe(':\n\ndata: grüß\n\n');
  });

  it('D6 cut breaks it off, so that it never looks complete', async () => {
    const { url, stream, exchanges } = await streaming();
    const response = await fetch(`${url}/events`);
    let gone = 0;
    exchanges[0]?.reply.onAborted(() => {
      gone += 1;
    });
    stream().write('data: half\n\n');
    stream().cut();
    await expect(response.text()).rejects.toThrow();
    expect(gone).toBe(1);
    stream().write('late');
    stream().end();
  });

  it('counts what a slow reader has not taken, and delivers it all, in order', async () => {
    const { server, stream } = await streaming();
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.pause();
    const frames = 2_000;
    for (let n = 0; n < frames; n += 1) stream().write(`data: ${n} ${'x'.repeat(10_000)}\n\n`);
    expect(stream().bufferedBytes()).toBeGreaterThan(5_000_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.resume();
    await until(() => received.includes(`data: ${frames - 1} `), 'the last frame');
    await until(() => stream().bufferedBytes() === 0, 'an empty backlog');
    const numbers = [...received.matchAll(/data: (\d+) /g)].map(([, n]) => Number(n));
    expect(numbers).toEqual(Array.from({ length: frames }, (_, n) => n));
    socket.destroy();
  });

  it('ends properly after what is buffered', async () => {
    const { server, stream } = await streaming();
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.pause();
    for (let n = 0; n < 1_000; n += 1) stream().write(`data: ${n} ${'x'.repeat(10_000)}\n\n`);
    stream().end();
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.resume();
    await until(() => received.endsWith('\r\n0\r\n\r\n'), 'the last chunk');
    expect(received).toContain('data: 999 ');
    socket.destroy();
  });
});
