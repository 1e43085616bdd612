import { createServer } from 'node:net';
import type { Config } from '@sluice/gateway';
import { isFrame } from '../api/frame.js';
import type { Finding } from './report.js';

const INFO_LIMIT_MS = 1_000;

/** Whether a node could listen; a port that a Sluice node already has is no failure. */
export async function checkPort({
  host,
  port,
}: Pick<Config['gateway'], 'host' | 'port'>): Promise<Finding[]> {
  const check = 'port' as const;
  const place = `port ${port} of ${host}`;
  if (port === 0) return [{ status: 'ok', check, what: 'port 0: a free one is picked at start' }];
  const code = await listenFailure(host, port);
  if (!code) return [{ status: 'ok', check, what: `${place} is free` }];
  if (code === 'EADDRINUSE' && (await isSluice(host, port))) {
    const what = `${place}: a Sluice node is already running there`;
    return [{ status: 'warn', check, what, remedy: 'for a second one set gateway.port' }];
  }
  const remedies: Record<string, string> = {
    EADDRINUSE: 'stop what uses it, or set gateway.port (0 picks a free one)',
    EACCES: 'ports below 1024 need privileges; set gateway.port to a higher one',
    EADDRNOTAVAIL: 'set gateway.host to an address of this machine',
    ENOTFOUND: 'set gateway.host to an address of this machine',
  };
  const remedy = remedies[code] ?? 'set gateway.host and gateway.port to what this machine allows';
  return [{ status: 'FAIL', check, what: `${place}: ${code}`, remedy }];
}

function listenFailure(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function isSluice(host: string, port: number): Promise<boolean> {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const authority = reachable.includes(':') ? `[${reachable}]` : reachable;
  try {
    const signal = AbortSignal.timeout(INFO_LIMIT_MS);
    const response = await fetch(`http://${authority}:${port}/health`, { signal });
    const body: unknown = await response.json();
    return isFrame(body) && 'node_id' in body;
  } catch {
    return false;
  }
}
