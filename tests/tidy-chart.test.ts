/** Of the Helm chart: what a change of the configuration must not leave behind. The rest is in tests/deploy. */
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { configJsonSchema } from '../apps/gateway/src/config/schema.js';

type Node = Readonly<Record<string, unknown>>;
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** The dotted names of all keys; `[]` for entries of a list. */
function keysOf(schema: unknown, path = ''): string[] {
  if (!isNode(schema)) return [];
  const fields = Object.entries(isNode(schema.properties) ? schema.properties : {});
  const below = fields.flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [at, ...keysOf(field, at)];
  });
  return [...below, ...keysOf(schema.items, `${path}[]`)];
}

it('k8s/chart/values.schema.json has the keys of the configuration: npm run chart-schema writes it', () => {
  const chart = JSON.parse(readFileSync('k8s/chart/values.schema.json', 'utf8'));
  const keys = keysOf(configJsonSchema());
  expect(keys).toContain('gateway.auth.tokens[].scopes');
  expect(keysOf(chart.properties.config).sort()).toEqual(keys.sort());
});
