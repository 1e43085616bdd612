import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const part = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
});
const file = z.looseObject({ services: z.record(z.string(), part) });
const content = file.parse(parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }));

/** The top-level keys of docker-compose.yml. */
export const keys = Object.keys(content);
export const { services } = content;
export const gateways = Object.keys(services).filter((name) => name.startsWith('gateway-'));

/** Replaces `${NAME:-default}` as Compose does with an empty environment. */
const withDefaults = (text: string) => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

/** The variables of a container as Compose sets them. */
export function environmentOf(name: string): Record<string, string> {
  const environment = Object.entries(services[name]?.environment ?? {});
  return Object.fromEntries(environment.map(([key, value]) => [key, withDefaults(value)]));
}
