import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Balancer, eventually, startBalancer } from '@sluice/testkit';

/** An upstream that answers with its name and can be taken out of service. */
async function startUpstream(name: string) {
  let ready = true;
  const server = createServer((request, response) => {
    if (request.url === '/ready') response.writeHead(ready ? 200 : 503).end();
    else response.end(name);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  upstreams.push(server);
  return {
    port: address.port,
    setReady: (on: boolean) => {
      ready = on;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const upstreams: Server[] = [];
const sockets: Socket[] = [];
let balancer: Balancer;

/** One request on a connection that stays open. */
async function ask(socket: Socket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const [data] = await once(socket, 'data');
  return String(data).split('\r\n\r\n')[1] ?? '';
}

async function open(): Promise<Socket> {
  const socket = connect({ port: balancer.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

const healthy = (...ports: number[]) =>
  eventually(() => expect([...balancer.healthy].sort()).toEqual([...ports].sort()), 2_000);

describe('the balancer', () => {
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await balancer.stop();
    for (const server of upstreams.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('gives new connections to the ready upstreams in turn', async () => {
    const [a, b] = [await startUpstream('a'), await startUpstream('b')];
    balancer = await startBalancer([a.port, b.port]);
    await healthy(a.port, b.port);
    const names: string[] = [];
    for (let count = 0; count < 4; count += 1) names.push(await ask(await open()));
    expect(names.sort()).toEqual(['a', 'a', 'b', 'b']);
    expect([balancer.connections(a.port), balancer.connections(b.port)]).toEqual([2, 2]);
  });

  it('keeps the connections of an upstream that is no longer ready or no longer listed', async () => {
    const [a, b] = [await startUpstream('a'), await startUpstream('b')];
    balancer = await startBalancer([a.port]);
    await healthy(a.port);
    const kept = await open();
    expect(await ask(kept)).toBe('a');
    a.setReady(false);
    balancer.use([a.port, b.port]);
    await healthy(b.port);
    expect(await ask(await open())).toBe('b');
    expect(await ask(kept)).toBe('a');
    balancer.use([b.port]);
    expect(await ask(kept)).toBe('a');
  });

  it('takes the next upstream when one does not answer, and closes without any', async () => {
    const [a, b] = [await startUpstream('a'), await startUpstream('b')];
    balancer = await startBalancer([a.port, b.port]);
    await healthy(a.port, b.port);
    await a.close();
    expect(await ask(await open())).toBe('b');
    expect(await ask(await open())).toBe('b');
    await b.close();
    await healthy();
    await once(await open(), 'close');
  });

  it('closes the client when its upstream ends', async () => {
    const a = await startUpstream('a');
    balancer = await startBalancer([a.port]);
    await healthy(a.port);
    const socket = await open();
    await ask(socket);
    const closed = once(socket, 'close');
    await a.close();
    await closed;
    await eventually(() => expect(balancer.connections(a.port)).toBe(0));
  });
});
