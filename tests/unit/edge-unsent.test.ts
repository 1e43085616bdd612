import { connect, type Socket as TcpSocket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Unsent, type UnsentKind } from '../../apps/gateway/src/edge/limits/unsent.js';
import type { Route } from '../../apps/gateway/src/edge/network/transport.js';
import { client, connected, started, until } from '../support/edge/edge-started.js';

const MiB = 2 ** 20;
const LONG = Array.from({ length: MiB }, (_, at) => (at % 10_000).toString().padStart(8, '.')).join(
  '',
);

/** Answers with 8 MiB: more than the kernel takes for a reader that does not read. */
function longAnswers() {
  const asked = { times: 0 };
  const route: Route = {
    method: 'GET',
    path: '/long',
    access: 'public',
    run: ({ reply }) => {
      asked.times += 1;
      reply.text(200, LONG, 'text/plain');
    },
  };
  return { asked, routes: [route] };
}

function limited(maxBytes: number, maxBytesPerPrincipal = 0) {
  const full: [UnsentKind, string][] = [];
  const onFull = (kind: UnsentKind, principal: string) => full.push([kind, principal]);
  return { full, unsent: new Unsent({ maxBytes, maxBytesPerPrincipal, onFull }) };
}

/** Asks `times` times at once and reads nothing, until `read`. */
function asking(port: number, times: number) {
  const tcp: TcpSocket = connect(port, '127.0.0.1');
  tcp.on('error', () => undefined);
  tcp.pause();
  tcp.write('GET /long HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(times));
  const over = new Promise<string>((resolve) => {
    let text = '';
    tcp.on('data', (data) => {
      text += data;
      if (text.endsWith(LONG.slice(-100))) resolve(text);
    });
    tcp.on('close', () => resolve(text));
  });
  const read = () => {
    tcp.resume();
    return over;
  };
  return { tcp, read };
}

describe('answers that nobody reads', () => {
  it('B1 wait in the node, one on a connection, and reach a client that reads late', async () => {
    const { asked, routes } = longAnswers();
    const { unsent } = limited(256 * MiB);
    const { server } = await started({ routes, unsent });
    const slow = asking(server.port, 1);
    await until(() => asked.times === 1, 'the request');
    expect(await slow.read()).toContain(LONG);
    slow.tcp.destroy();
  });

  it('B1 a request after one whose answer waits is not begun', async () => {
    const { asked, routes } = longAnswers();
    const { server } = await started({ routes });
    const greedy = asking(server.port, 50);
    await until(() => asked.times > 0, 'the first request');
    const text = await greedy.read();
    expect(asked.times).toBe(1);
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(1);
  });

  it('B1 requests pipelined without end are answered 64 at once, and end their connection', async () => {
    let asked = 0;
    const run: Route['run'] = ({ reply }) => {
      asked += 1;
      reply.json(200, {});
    };
    const { server, url } = await started({
      routes: [{ method: 'GET', path: '/short', access: 'public', run }],
    });
    const tcp: TcpSocket = connect(server.port, '127.0.0.1');
    const over = new Promise((resolve) => tcp.on('close', resolve));
    tcp.on('error', () => undefined);
    tcp.resume();
    tcp.write('GET /short HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(5_000));
    await over;
    expect(asked).toBeLessThan(200);
    expect((await fetch(`${url}/short`)).status).toBe(200);
  });

  it('B1 have a total for the node; beyond it a connection is cut, and room comes back', async () => {
    const { asked, routes } = longAnswers();
    const { full, unsent } = limited(12 * MiB);
    const { server, url } = await started({ routes, unsent });
    const greedy = Array.from({ length: 6 }, () => asking(server.port, 1));
    await until(() => asked.times === 6 && full.length > 0, 'six requests');
    expect(full).toEqual(full.map(() => ['http', 'local']));
    for (const { tcp } of greedy) tcp.destroy();
    await until(() => !unsent.isFull('local'), 'room');
    expect(await (await fetch(`${url}/long`)).text()).toBe(LONG);
  });

  it('B1 of frames have a total for each principal; others go on', async () => {
    const { full, unsent } = limited(256 * MiB, 4 * MiB);
    const { wsUrl, sockets } = await started({ auth: true, unsent });
    const slow = await connected(`${wsUrl}?token=alice-secret`);
    slow.ws.pause();
    const other = client(`${wsUrl}?token=reader-secret`);
    await until(() => sockets.length === 2, 'both sockets');
    const [alices, readers] = sockets;
    let sent = 'sent';
    for (let at = 0; at < 40 && sent !== 'dropped'; at += 1)
      sent = alices?.send(LONG.slice(0, MiB)) ?? '';
    expect(sent).toBe('dropped');
    expect(full).toEqual([['socket', 'alice']]);
    expect(readers?.send('unharmed')).toBe('sent');
    await until(() => other.frames.includes('unharmed'), 'the frame of the other');
    slow.ws.terminate();
    await until(() => !unsent.isFull('alice'), 'room');
  });
});
