import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually, type FixedBalancer, startHaproxy } from '@sluice/testkit';

/** `npm test` sets SLUICE_HAPROXY to the program that it has found or installed; else there is nothing to test. */
function hasHaproxy(): boolean {
  if (process.env.SLUICE_HAPROXY) return true;
  const dirs = (process.env.PATH ?? '').split(delimiter);
  return dirs.some((dir) => {
    try {
      accessSync(join(dir, 'haproxy'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

type Mood = 'serving' | 'draining' | 'deaf';
type Upstream = { readonly port: number; readonly asked: string[]; mood: Mood };

const servers: Server[] = [];
const sockets: Socket[] = [];
let balancer: FixedBalancer | undefined;

/** A node as the balancer sees it. A draining node refuses everything; a deaf one hangs up without an answer. */
async function startUpstream(name: string): Promise<Upstream> {
  const upstream = { port: 0, asked: [] as string[], mood: 'serving' as Mood };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { url, method } = request;
    const isProbe = url === '/ready';
    // uWebSockets.js does the same.
    if (request.httpVersion !== '1.1') return response.writeHead(505).end();
    if (!isProbe) upstream.asked.push(method ?? '');
    if (upstream.mood === 'deaf' && !isProbe) return response.socket?.destroy();
    return response.writeHead(upstream.mood === 'draining' ? 503 : 200).end(name);
  };
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(request, response));
  });
  server.on('upgrade', (_, socket) => {
    upstream.asked.push('upgrade');
    if (upstream.mood === 'serving') {
      socket.write(`HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n${name}`);
      socket.on('data', (data) => socket.write(data));
    } else if (upstream.mood === 'draining') {
      socket.end('HTTP/1.1 503 Draining\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    } else socket.destroy();
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  servers.push(server);
  return Object.assign(upstream, { port: address.port });
}

function door(): FixedBalancer {
  if (!balancer) throw new Error('not started');
  return balancer;
}

async function upgrade(): Promise<{ socket: Socket; status: number }> {
  const socket = connect({ port: door().port, host: '127.0.0.1' });
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write('GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  const [data] = await once(socket, 'data');
  return { socket, status: Number(String(data).split(' ')[1]) };
}

/** Returns the status; 0 when the connection was closed without an answer. */
const post = async (body: object) => {
  const url = `${door().url}/v1/sessions/s/messages`;
  const request = { method: 'POST', body: JSON.stringify(body) };
  return fetch(url, request).then(
    ({ status }) => status,
    () => 0,
  );
};

const isHealthy = (...nodes: Upstream[]) =>
  eventually(
    () => expect([...door().healthy].sort()).toEqual(nodes.map(({ port }) => port).sort()),
    10_000,
  );

(hasHaproxy() ? describe : describe.skip)('HAProxy with the configuration of deploy/', () => {
  let nodes: Upstream[] = [];
  const start = async () => {
    nodes = [];
    for (let at = 0; at < 3; at += 1) nodes.push(await startUpstream(`node ${at}`));
    balancer = await startHaproxy(nodes.map(({ port }) => port));
    await isHealthy(...nodes);
  };
  const statuses = async (count: number) => {
    const found: number[] = [];
    for (let at = 0; at < count; at += 1) found.push((await upgrade()).status);
    return [...new Set(found)];
  };

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await balancer?.stop();
    balancer = undefined;
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('D1 sends an upgrade that a draining node refused to another one, before a check says so', async () => {
    await start();
    const [leaving] = nodes;
    if (!leaving) throw new Error('three nodes were started');
    leaving.mood = 'draining';
    expect(await statuses(12)).toEqual([101]);
    expect(leaving.asked.length).toBeGreaterThan(0);
    await isHealthy(...nodes.slice(1));
  });

  it('D6 keeps the connections of a node that is no longer ready', async () => {
    await start();
    const opened = await Promise.all([upgrade(), upgrade(), upgrade()]);
    await eventually(() => expect(door().connections(nodes[0]?.port ?? 0)).toBe(1));
    for (const node of nodes) node.mood = 'draining';
    await isHealthy();
    for (const { socket } of opened) {
      socket.write('still here');
      const [data] = await once(socket, 'data');
      expect(String(data)).toBe('still here');
    }
  });

  it('X1 keeps the numbers of the nodes to itself', async () => {
    await start();
    const ask = async (path: string) => (await fetch(`${door().url}${path}`)).status;
    expect(await Promise.all(['/metrics', '/metrics?a=b'].map(ask))).toEqual([404, 404]);
    expect(nodes.flatMap(({ asked }) => asked)).toEqual([]);
    expect(await ask('/health')).toBe(200);
  });

  it('C1 takes another node when one hangs up', async () => {
    await start();
    const [deaf] = nodes;
    if (!deaf) throw new Error('three nodes were started');
    deaf.mood = 'deaf';
    expect(await statuses(8)).toEqual([101]);
    expect(deaf.asked.length).toBeGreaterThan(0);
  });

  it('C1 takes another node when one does not listen', async () => {
    await start();
    servers[0]?.close();
    servers[0]?.closeAllConnections();
    expect(await statuses(8)).toEqual([101]);
  });

  it('S3 sends a POST again only when it names its message', async () => {
    await start();
    const [deaf] = nodes;
    if (!deaf) throw new Error('three nodes were started');
    deaf.mood = 'deaf';
    const named: number[] = [];
    for (let at = 0; at < 6; at += 1)
      named.push(await post({ content: 'x', message_id: `m${at}` }));
    expect(named).toEqual(Array(6).fill(200));
    const before = deaf.asked.length;
    const nameless: number[] = [];
    for (let at = 0; at < 6; at += 1) nameless.push(await post({ content: 'x' }));
    expect(before).toBeGreaterThan(0);
    const refused = nameless.filter((status) => status !== 200);
    expect(refused.length).toBe(deaf.asked.length - before);
    expect(refused.length).toBeGreaterThan(0);
  });
});
