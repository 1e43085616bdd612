import { once } from 'node:events';
import type { Server } from 'node:http';
import { stopLater } from '../base/cleanup.js';

export type Listening = { readonly origin: string; close(): Promise<void> };

/** Binds to loopback; `close` cuts open connections, since a test must not wait for its peers. */
export async function listenLocal(server: Server, port: number): Promise<Listening> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const close = async () => {
    forget();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  // A test that failed before its own `close` must not keep the test process.
  const forget = stopLater(close);
  return { origin: `http://127.0.0.1:${address.port}`, close };
}
