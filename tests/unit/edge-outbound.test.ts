import { describe, expect, it } from '@jest/globals';
import { Outbound } from '../../apps/gateway/src/edge/delivery/outbound.js';
import type { Socket } from '../../apps/gateway/src/edge/network/transport.js';
import { connected, started, until } from '../support/edge/edge-started.js';

const FRAME = 'x'.repeat(64 * 1024);
const limits = { maxBufferedBytes: 64 * 2 ** 20, maxQueuedFrames: 100 };

async function outboundTo(wsUrl: string, sockets: Socket[]) {
  const reader = await connected(wsUrl);
  await until(() => sockets.length === 1, 'the socket');
  const [socket] = sockets;
  if (socket === undefined) throw new Error('no socket');
  const slow: string[] = [];
  return {
    reader,
    socket,
    slow,
    outbound: new Outbound(socket, { ...limits, onSlow: () => slow.push('') }),
  };
}

describe('frames that wait for a reader', () => {
  it('E9 are counted as long as they wait: one that keeps up stays, though some always wait', () => {
    let waits = 0;
    const never = () => {
      throw new Error('not called here');
    };
    // Like the kernel: each frame goes out while the next two wait.
    const socket: Socket = {
      ...{ id: 'c', remoteAddress: '', traceparent: '' },
      identity: { principal: 'p', scopes: [], credential: { fingerprint: '', expiresAtMs: 0 } },
      send: (...frames) => {
        for (const { length } of frames) waits = Math.min(waits, 2 * (length + 4)) + length + 4;
        return 'queued';
      },
      bufferedBytes: () => waits,
      close: never,
      cut: never,
      saidHello: never,
      wasRefused: never,
    };
    const outbound = new Outbound(socket, { ...limits, onSlow: never });
    const text = 'x'.repeat(1_000);
    for (let at = 0; at < 20 * limits.maxQueuedFrames; at += 1)
      expect(outbound.send(text)).toBe(true);
  });

  it('E9 are at most max_queued_frames for one that does not read', async () => {
    const { wsUrl, sockets } = await started({ maxBufferedBytes: limits.maxBufferedBytes });
    const { reader, socket, slow, outbound } = await outboundTo(wsUrl, sockets);
    reader.ws.pause();
    while (outbound.send(FRAME));
    expect(slow).toHaveLength(1);
    expect(socket.bufferedBytes()).toBe(0); // closed
  });
});
