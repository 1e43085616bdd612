import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  expectFaultyFrames,
  type Frame,
  FrameClient,
  gaps,
  HelloRefused,
  UpgradeRefused,
} from '@sluice/testkit';
import { type WebSocket, WebSocketServer } from 'ws';

expectFaultyFrames();

describe('the frame client', () => {
  const http = createServer();
  let server: WebSocketServer;
  let url: string;
  let onConnection: (socket: WebSocket) => void;

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const address = server.address();
    url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/ws`;
    onConnection = () => undefined;
    server.on('connection', (socket) => onConnection(socket));
  });
  afterEach(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.close();
  });
  const say = (socket: WebSocket, frame: unknown) => socket.send(JSON.stringify(frame));

  it('keeps frames that were sent with the upgrade itself', async () => {
    onConnection = (socket) => {
      say(socket, { type: 'status', n: 1 });
      say(socket, { type: 'status', n: 2 });
    };
    const client = await FrameClient.connect(url);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await client.next()).toEqual({ type: 'status', n: 1 });
    expect(await client.next({ n: 2 })).toEqual({ type: 'status', n: 2 });
    expect(await client.waitFor({ n: 1 })).toEqual({ type: 'status', n: 1 });
    expect(client.arrivedMs).toHaveLength(2);
  });

  it('lists what it has seen when nothing matches, or the socket closes', async () => {
    onConnection = (socket) => say(socket, { type: 'status', message: 'seen this' });
    const client = await FrameClient.connect(url);
    await expect(client.next({ type: 'other' }, 50)).rejects.toThrow('seen this');
    const waiting = client.waitFor({ type: 'other' });
    for (const socket of server.clients) socket.close(1013, 'slow_consumer');
    await expect(waiting).rejects.toThrow('slow_consumer');
    expect(await client.closed).toEqual({ code: 1013, reason: 'slow_consumer' });
  });

  it('tells a refused upgrade by its status', async () => {
    http.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n');
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const address = http.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const refused = FrameClient.connect(`ws://127.0.0.1:${port}/ws`);
    await expect(refused).rejects.toBeInstanceOf(UpgradeRefused);
    await expect(refused).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });

  it('greets, sends and waits for an outcome', async () => {
    onConnection = (socket) =>
      socket.on('message', (data) => {
        const frame: Frame = JSON.parse(String(data));
        if (frame.agent_id === 'none')
          say(socket, { type: 'hello_error', code: 'agent_not_found' });
        else if (frame.type === 'hello') say(socket, { type: 'hello_ok', cursor: 7 });
        else {
          const { message_id } = frame;
          say(socket, { type: 'response', status: 'final', message_id, cursor: 8, seq: 8 });
        }
      });
    const client = await FrameClient.connect(url);
    await expect(client.hello({ agent_id: 'none' })).rejects.toBeInstanceOf(HelloRefused);
    expect(await client.hello()).toMatchObject({ cursor: 7 });
    const id = client.message('hi', { mode: 'collect' });
    expect(await client.final(id)).toMatchObject({ message_id: id, cursor: 8 });
    expect(client.logged()).toHaveLength(1);
    client.cut();
    expect((await client.closed).code).toBe(1006);
  });

  it('shows live and replayed events as one log, and its faults', async () => {
    const logged = (cursor: number, more = {}) => ({
      type: 'token_stream',
      cursor,
      seq: cursor,
      ...more,
    });
    onConnection = (socket) => {
      say(socket, { type: 'hello_ok', cursor: 3 });
      for (const seq of [1, 2]) say(socket, { type: 'replay', seq, event: { data: logged(seq) } });
      say(socket, { type: 'snapshot', state: {}, cursor: 3 });
      say(socket, logged(5, { skipped: 2 }));
      say(socket, logged(5));
      say(socket, logged(7));
    };
    const client = await FrameClient.connect(url);
    await client.collect(3, { type: 'token_stream' });
    expect(client.logged().map(({ cursor }) => cursor)).toEqual([1, 2, 5, 5, 7]);
    expect(gaps(client.logged())).toEqual([
      'token_stream: cursor 5 after 5, not 6',
      'token_stream: cursor 7 after 5, not 6',
    ]);
  });

  it('reads nothing while paused', async () => {
    const client = await FrameClient.connect(url);
    client.pause();
    for (const socket of server.clients) say(socket, { type: 'status' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.frames).toHaveLength(0);
    client.resume();
    expect(await client.next()).toEqual({ type: 'status' });
    expect(await client.close()).toMatchObject({ code: 1000 });
  });
});
