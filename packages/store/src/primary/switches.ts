import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import type { SentinelAddress } from './sentinel.js';

const CHANNEL = '+switch-master';
const RETRY_MS = 1_000;

export type SwitchOptions = {
  readonly clientName: string;
  /** Where TLS is asked for (tls-context.ts). */
  readonly tls?: ConnectionOptions | undefined;
  onSwitch(primary: string): void;
};

/**
 * Listens at each sentinel for another primary, and calls `onSwitch` with its `host:port`. It is a hint that comes at
 * once: without it a connection is left when its server is silent, or calls itself a replica.
 */
export function watchSwitches(
  { name, nodes, sentinels }: SentinelAddress,
  { clientName, tls: certificates = {}, onSwitch }: SwitchOptions,
): { close(): void } {
  const identity = () => {
    const { username, tls } = sentinels;
    const password = sentinels.password();
    return {
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password }),
      ...(tls ? { tls: certificates } : {}),
    };
  };
  const clients = nodes.map((node) => {
    const client = new Redis({
      ...node,
      ...identity(),
      connectionName: clientName,
      enableReadyCheck: false,
      maxRetriesPerRequest: null,
      connectTimeout: 2_000,
      disconnectTimeout: 100,
      retryStrategy() {
        Object.assign(client.options, identity());
        return RETRY_MS;
      },
    });
    client.on('error', () => {}); // others may tell
    client.on('message', (_channel, text: string) => {
      const [which, , , host, port] = text.split(' ');
      if (which === name) onSwitch(`${host}:${port}`);
    });
    client.subscribe(CHANNEL).catch(() => {}); // refused: then it is only noticed later
    return client;
  });
  return {
    close() {
      for (const client of clients) client.disconnect();
    },
  };
}
