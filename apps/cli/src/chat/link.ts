import { WebSocket } from 'ws';
import { type Frame, numberOf, parseFrame } from '../api/frame.js';

export type LinkEvents = {
  onOpen(): void;
  onFrame(frame: Frame): void;
  /** The last event of a link, whatever ended it. */
  onClose(code: number, reason: string): void;
};

export type Link = {
  send(frame: Frame): void;
  /** Ends in `onClose` within a second, also when the other side is silent. */
  close(): void;
};

const HANDSHAKE_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 1_000;

/** One WebSocket to a gateway. It is closed when the gateway is silent for two heartbeats. */
export function openLink(url: string, token: string | undefined, events: LinkEvents): Link {
  const socket = new WebSocket(url, {
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
  });
  let pulse: NodeJS.Timeout | undefined;
  let isAlive = true;
  const beat = () => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  };
  const startPulse = (heartbeatMs: number) => {
    clearInterval(pulse);
    if (heartbeatMs > 0) pulse = setInterval(beat, heartbeatMs);
  };

  socket.on('open', () => events.onOpen());
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('message', (data) => {
    isAlive = true;
    const frame = parseFrame(String(data));
    if (!frame) return;
    if (frame.type === 'hello_ok' && typeof frame.policy === 'object' && frame.policy) {
      startPulse(numberOf({ ...frame.policy }, 'heartbeat_ms'));
    }
    events.onFrame(frame);
  });
  // The reason of a failed connection; `close` with 1006 follows it.
  let failure = '';
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => {
    clearInterval(pulse);
    events.onClose(code, String(reason) || failure);
  });
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
    },
    close: () => {
      socket.close(1000);
      const cut = setTimeout(() => socket.terminate(), CLOSE_LIMIT_MS);
      socket.once('close', () => clearTimeout(cut));
    },
  };
}

/** http(s)://host/base -> ws(s)://host/base/ws */
export function socketUrl(base: string): string {
  return `${base.replace(/^http/, 'ws').replace(/\/+$/, '')}/ws`;
}
