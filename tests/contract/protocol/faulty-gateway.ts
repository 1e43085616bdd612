import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Target } from './target.js';

type Frame = Record<string, unknown>;

/** A fault that an implementation could have. Each function returns the frames to pass on; [] drops the frame. */
export type Mutation = {
  readonly name: string;
  /** A frame of the gateway; `sent` are the frames that this connection's client got before. */
  toClient?(frame: Frame, sent: readonly Frame[]): readonly Frame[];
  toGateway?(frame: Frame): readonly Frame[];
  /** Returns the close code to pass on; undefined: no close. */
  close?(code: number): number | undefined;
};

function parse(data: RawData): Frame | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A gateway with a fault: a good one behind a proxy that changes its frames. */
export async function startFaulty(
  target: Target,
  mutation: Mutation,
): Promise<{ target: Target; stop(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => forward(target, incoming, outgoing));
  const sockets = new WebSocketServer({
    server,
    handleProtocols: (protocols) => [...protocols][0] ?? false,
  });
  sockets.on('connection', (client, incoming) => carry(target, mutation, { client, incoming }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    target: { ...target, url: `http://127.0.0.1:${port}` },
    async stop() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(target: Target, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method = 'GET', url = '/', headers } = incoming;
  const onward = request(new URL(url, target.url), { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
}

type Carried = { readonly client: WebSocket; readonly incoming: IncomingMessage };

function carry(target: Target, mutation: Mutation, { client, incoming }: Carried): void {
  const { authorization, origin, 'sec-websocket-protocol': protocols } = incoming.headers;
  const gateway = new WebSocket(
    `${target.url.replace(/^http/, 'ws')}${incoming.url}`,
    protocols?.split(',').map((it) => it.trim()) ?? [],
    {
      headers: { ...(authorization ? { authorization } : {}), ...(origin ? { origin } : {}) },
    },
  );
  const sent: Frame[] = [];
  const waiting: [RawData, boolean][] = [];
  const toGateway = (data: RawData, isBinary: boolean) => {
    const frame = isBinary ? undefined : parse(data);
    if (!frame || !mutation.toGateway) return gateway.send(data, { binary: isBinary });
    for (const each of mutation.toGateway(frame)) gateway.send(JSON.stringify(each));
  };
  client.on('message', (data, isBinary) => {
    if (gateway.readyState === WebSocket.OPEN) toGateway(data, isBinary);
    else waiting.push([data, isBinary]);
  });
  gateway.on('open', () => {
    for (const [data, isBinary] of waiting) toGateway(data, isBinary);
  });
  gateway.on('message', (data) => {
    const frame = parse(data) ?? {};
    for (const each of mutation.toClient?.(frame, sent) ?? [frame]) {
      sent.push(each);
      client.send(JSON.stringify(each));
    }
  });
  for (const end of [client, gateway]) end.on('error', () => undefined);
  gateway.on('close', (code, reason) => {
    const told = mutation.close ? mutation.close(code) : code;
    if (told !== undefined && told !== 1005 && told !== 1006) client.close(told, reason);
    else if (told !== undefined) client.terminate();
  });
  client.on('close', () => gateway.terminate());
}
