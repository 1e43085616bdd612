import { type GatewayProcess, startGateway, startRedis } from '@sluice/testkit';
import type { Target } from './target.js';

const slowMs = 500;
const token = 'contract-8f2Kq-Lw93-zRt7';

/** `SLUICE_CONTRACT_URL` and `SLUICE_CONTRACT_TOKEN` name another gateway, of any implementation. */
export async function openTarget(): Promise<{ target: Target; node: GatewayProcess | undefined }> {
  const { SLUICE_CONTRACT_URL: url, SLUICE_CONTRACT_TOKEN: given } = process.env;
  if (url) return { target: { url, token: given ?? '', slowMs }, node: undefined };
  const redis = await startRedis({ args: ['--appendfsync', 'no'] });
  const node = await startGateway({
    redisUrl: redis.url,
    config: {
      gateway: {
        heartbeat_interval: '1s',
        auth: { tokens: [{ token, principal: 'contract', scopes: ['read', 'write'] }] },
        // The suite makes more sessions in a minute than a principal may by default.
        rate_limit: { sessions_per_minute: 0 },
      },
      agents: {
        echo: { kind: 'echo', stream: false },
        slow: { kind: 'echo', delay_ms: slowMs, stream: true },
      },
    },
  });
  return { target: { url: node.url, token, slowMs }, node };
}
