import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { sleep } from '@sluice/runtime';
import { stopLater } from '../base/cleanup.js';

export type Balancer = {
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  /** Replaces the list of upstream ports of loopback; open connections are kept. */
  use(ports: readonly number[]): void;
  /** Ports to which new connections go now. */
  readonly healthy: readonly number[];
  /** Open connections to this upstream. */
  connections(port: number): number;
  stop(): Promise<void>;
};

/** A balancer whose upstreams never change. */
export type FixedBalancer = Omit<Balancer, 'use'>;

const pollMs = 100;
const probeMs = 500;
const connectMs = 500;

/** Whether `/ready` answers 200. A new connection each time: a kept one would hide a closed port. */
async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ready`, {
      signal: AbortSignal.timeout(probeMs),
      headers: { connection: 'close' },
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Connects to this port; undefined when that fails or takes too long. */
async function reach(port: number): Promise<Socket | undefined> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), connectMs);
  const reached = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  clearTimeout(timer);
  return reached ? socket : undefined;
}

/** The upstreams, and which of them are ready. */
class Upstreams {
  readonly #ready = new Map<number, boolean>();
  readonly #probing = new Set<number>();
  #next = 0;

  use(ports: readonly number[]): void {
    const wanted = new Set(ports);
    for (const port of this.#ready.keys()) if (!wanted.has(port)) this.#ready.delete(port);
    for (const port of wanted) if (!this.#ready.has(port)) this.#ready.set(port, false);
  }

  /** A node that does not answer its probe does not delay the probes of others. */
  poll(): void {
    for (const port of this.#ready.keys()) {
      if (this.#probing.has(port)) continue;
      this.#probing.add(port);
      isReady(port).then((ready) => {
        this.#probing.delete(port);
        if (this.#ready.has(port)) this.#ready.set(port, ready);
      });
    }
  }

  get healthy(): number[] {
    return [...this.#ready].flatMap(([port, ready]) => (ready ? [port] : []));
  }

  /** The healthy upstreams, beginning with the one whose turn it is. */
  inTurn(): number[] {
    const ports = this.healthy;
    const at = this.#next++ % Math.max(1, ports.length);
    return [...ports.slice(at), ...ports.slice(0, at)];
  }
}

/** Copies both directions; when one side ends, the other is ended in the same way. */
function join(client: Socket, server: Socket): void {
  client.pipe(server);
  server.pipe(client);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.resetAndDestroy());
    one.once('close', () => other.destroy());
  }
}

/**
 * A plain TCP balancer on loopback: round robin over the upstreams whose `/ready` answers 200, asked every
 * 100 ms. If no upstream can be reached, a new connection is closed at once.
 */
export async function startBalancer(ports: readonly number[] = []): Promise<Balancer> {
  const upstreams = new Upstreams();
  const clients = new Set<Socket>();
  const open = new Map<number, number>();
  upstreams.use(ports);

  const forward = async (client: Socket) => {
    for (const port of upstreams.inTurn()) {
      const server = await reach(port);
      if (!server) continue;
      if (client.destroyed) return server.destroy();
      open.set(port, (open.get(port) ?? 0) + 1);
      server.once('close', () => open.set(port, (open.get(port) ?? 1) - 1));
      return join(client, server);
    }
    return client.destroy();
  };

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.once('close', () => clients.delete(client));
    void forward(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');

  const ended = new AbortController();
  const polling = (async () => {
    while (!ended.signal.aborted) {
      upstreams.poll();
      await sleep(pollMs, ended.signal);
    }
  })();
  const stop = async () => {
    forget();
    ended.abort();
    await polling;
    server.close();
    for (const client of clients) client.destroy();
  };
  const forget = stopLater(stop);

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    wsUrl: `ws://127.0.0.1:${address.port}/ws`,
    use: (next) => upstreams.use(next),
    get healthy() {
      return upstreams.healthy;
    },
    connections: (port) => open.get(port) ?? 0,
    stop,
  };
}
