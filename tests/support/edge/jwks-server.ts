import { createServer } from 'node:http';
import { stopLater } from '@sluice/testkit';

/** The keys of an issuer, served as they are set; `status` other than 200: it is broken. */
export type JwksServer = {
  readonly url: string;
  keys: unknown[];
  status: number;
  /** Requests so far. */
  asked: number;
  close(): Promise<void>;
};

export async function startJwks(keys: unknown[] = []): Promise<JwksServer> {
  const server = createServer((_request, response) => {
    issuer.asked += 1;
    response.writeHead(issuer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: issuer.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  stopLater(close);
  const issuer = { url: `http://127.0.0.1:${port}/keys`, keys, status: 200, asked: 0, close };
  return issuer;
}
