import type { ConnectionOptions } from 'node:tls';
import type { Redis } from 'ioredis';
import { lookOnce } from '../server/one-look.js';
import type { SentinelAddress, SentinelNode } from './sentinel.js';

const LIMIT_MS = 2_000;

/** What one sentinel says. `fault`: why it could not be asked. */
export type SentinelReport = { readonly node: string } & (
  | { readonly fault: string }
  | {
      readonly fault?: undefined;
      /** `host:port`; undefined: it watches no primary of that name. */
      readonly primary: string | undefined;
      /** What SENTINEL CKQUORUM refuses; undefined: nothing, or it may not be asked. */
      readonly noQuorum: string | undefined;
      /** What SENTINEL MASTER says; undefined: it may not be asked. */
      readonly replicas: number | undefined;
      readonly others: number | undefined;
    }
);

/** Asks each sentinel for itself, within 2 s. Never rejects. `tls`: where TLS is asked for. */
export function inspectSentinels(
  address: SentinelAddress,
  tls: ConnectionOptions = {},
): Promise<SentinelReport[]> {
  return Promise.all(address.nodes.map((node) => inspectOne(node, address, tls)));
}

async function inspectOne(
  node: SentinelNode,
  { name, sentinels }: SentinelAddress,
  tls: ConnectionOptions,
): Promise<SentinelReport> {
  const shown = `${node.host}:${node.port}`;
  const password = sentinels.password();
  const options = {
    ...node,
    ...(sentinels.username === null ? {} : { username: sentinels.username }),
    ...(password === null ? {} : { password }),
    ...(sentinels.tls ? { tls } : {}),
    enableReadyCheck: false,
  };
  try {
    const found = await lookOnce(options, { limitMs: LIMIT_MS }, (client) => ask(client, name));
    return { node: shown, ...found };
  } catch (error) {
    return { node: shown, fault: error instanceof Error ? error.message : String(error) };
  }
}

async function ask(client: Redis, name: string) {
  const primary: unknown = await client.call('SENTINEL', 'get-master-addr-by-name', name);
  const noQuorum = await client.call('SENTINEL', 'CKQUORUM', name).then(
    () => undefined,
    (error: Error) => (error.message.startsWith('NOQUORUM') ? error.message : undefined),
  );
  const said: unknown = await client.call('SENTINEL', 'MASTER', name).catch(() => undefined);
  const fields = Object.entries(Object(said)).length > 0 ? fieldsOf(said) : undefined;
  const numberOf = (field: string) => (fields ? Number(fields.get(field)) : undefined);
  return {
    primary: Array.isArray(primary) ? `${primary[0]}:${primary[1]}` : undefined,
    noQuorum,
    replicas: numberOf('num-slaves'),
    others: numberOf('num-other-sentinels'),
  };
}

/** A flat list of names and values, or a mapping: as the protocol has it. */
function fieldsOf(said: unknown): Map<string, string> {
  if (!Array.isArray(said)) {
    return new Map(Object.entries(Object(said)).map(([name, value]) => [name, String(value)]));
  }
  const names = said.filter((_, at) => at % 2 === 0);
  return new Map(names.map((name, at) => [String(name), String(said[2 * at + 1])]));
}
