import { io } from 'socket.io-client';
import type { Attach } from './connection.js';

/** Where a session's first connection stood: Socket.IO needs it to recover later connections. */
type Place = { readonly pid: string; readonly offset: string };

const textOf = (value: unknown) =>
  typeof value === 'object' && value !== null ? String(Reflect.get(value, 'content')) : '';

/** The peer's protocol. A replay is a recovery of Socket.IO if the session has a place to begin at. */
export function attachToPeer(port: number): Attach {
  const places = new Map<string, Place>();
  return ({ session, replay, localAddress }, listener) =>
    new Promise((resolve, reject) => {
      const place = replay && session ? places.get(session) : undefined;
      const address: object = localAddress ? { localAddress } : {};
      const socket = io(`http://127.0.0.1:${port}`, {
        ...address,
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
        auth: { session, replay, ...place },
      });
      let bytesRead = 0;
      let isCut = false;
      socket.io.once('open', () => {
        socket.io.engine.on('data', (data: unknown) => {
          bytesRead += String(data).length;
        });
      });
      socket.on('attached', () =>
        resolve({
          send: (content) => void socket.emit('message', { content }, () => undefined),
          cut: () => {
            isCut = true;
            socket.io.engine.close();
          },
          get bytesRead() {
            return bytesRead;
          },
        }),
      );
      socket.on('delta', (event) => listener.onDelta?.(textOf(event)));
      // The last argument is the offset, with which a lost connection can be recovered.
      socket.on('final', (event, offset?: string) => {
        const pid: unknown = Reflect.get(socket, '_pid');
        if (session && offset && typeof pid === 'string' && !places.has(session)) {
          places.set(session, { pid, offset });
        }
        listener.onFinal?.(textOf(event));
      });
      socket.on('disconnect', (reason) => {
        if (!isCut) listener.onFault(reason);
      });
      socket.on('connect_error', reject);
    });
}
