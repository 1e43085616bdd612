import { type Frame, isObject, parseFrame } from '@sluice/testkit';
import { WebSocket } from 'ws';
import type { Attach, Listener } from './connection.js';

const helloOf = ({ session, replay, streams }: Parameters<Attach>[0], agent: string) =>
  JSON.stringify({
    type: 'hello',
    agent_id: agent,
    session_id: session,
    since: replay ? 0 : undefined,
    protocol_min: 1,
    protocol_max: 1,
    capabilities: streams ? ['streaming'] : [],
  });

/** The part of Sluice's protocol that the load needs; the floor speaks it too. */
export function attachTo(port: number, agent: string): Attach {
  return (options, listener) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, {
        perMessageDeflate: false,
        ...(options.localAddress ? { localAddress: options.localAddress } : {}),
      });
      let bytesRead = 0;
      let isCut = false;
      const connection = {
        send: (content: string) => socket.send(JSON.stringify({ type: 'message', content })),
        cut: () => {
          isCut = true;
          socket.terminate();
        },
        get bytesRead() {
          return bytesRead;
        },
      };
      socket.once('open', () => socket.send(helloOf(options, agent)));
      socket.on('error', reject);
      socket.on('close', (code) => {
        if (!isCut) listener.onFault(`closed with ${code}`);
        reject(new Error(`closed with ${code} before hello_ok`));
      });
      socket.on('message', (data: Buffer) => {
        bytesRead += data.length;
        const frame = parseFrame(data.toString());
        if (frame.type === 'hello_ok') resolve(connection);
        else if (frame.type === 'ping') socket.send('{"type":"pong"}');
        else receive(frame, listener);
      });
    });
}

function receive(frame: Frame, listener: Listener): void {
  if (frame.type === 'error' || frame.type === 'hello_error') {
    listener.onFault(String(frame.code));
    return;
  }
  const inside = frame.type === 'replay' && isObject(frame.event) ? frame.event.data : frame;
  if (!isObject(inside)) return;
  if (inside.status === 'final') listener.onFinal?.(String(inside.content));
  if (inside.type === 'token_stream' && isObject(inside.data)) {
    listener.onDelta?.(String(inside.data.content));
  }
}
