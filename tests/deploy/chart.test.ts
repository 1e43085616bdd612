import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { renderChart, renderer } from './helm.js';
import { type Manifest, renderAll, type Variant } from './manifests.js';
import { modelFaults } from './model-faults.js';

type Json = Readonly<Record<string, unknown>>;
const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const chart = (file: string) => readFileSync(`k8s/chart/${file}`, 'utf8');

/** Only Helm's objects have them: its labels, and the hash of the configuration that kustomize has in a name. */
const ofHelm = new Set([
  ...['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'],
  ...['helm.sh/chart', 'checksum/config'],
]);

/** What an object says, however it was made: by kustomize or by Helm. */
function said(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/^sluice-config-\w+$/, 'sluice-config');
  if (Array.isArray(value)) return value.map(said);
  if (!isJson(value)) return value;
  const kept = Object.entries(value).filter(([name]) => !ofHelm.has(name));
  return Object.fromEntries(
    kept.map(([name, field]) => [
      name,
      name === 'gateway.yaml' && typeof field === 'string' ? parse(field) : said(field),
    ]),
  );
}

/** Objects of the overlay `local` that are not of Sluice. */
const isBeside = ({ kind, metadata }: Manifest) =>
  kind === 'Namespace' || metadata.name === 'redis';

const byName = (manifests: readonly Manifest[]) =>
  Object.fromEntries(
    manifests
      .filter((manifest) => !isBeside(manifest))
      .map((manifest) => {
        const { name } = manifest.metadata;
        return [`${manifest.kind} ${String(said(name))}`, said(manifest)];
      }),
  );

const filesOf = ({ overlay, components }: Variant) => [
  ...(overlay === 'local' ? ['values-local.yaml'] : []),
  ...components.map((name) => `ci/${name}-values.yaml`),
];

const withRenderer = renderer ? describe : describe.skip;

withRenderer('the chart', () => {
  const rendered = renderAll().flatMap(({ name, variant, manifests }) =>
    variant ? [{ name, variant, manifests }] : [],
  );

  it.each(rendered)('has the objects of k8s/: $name', ({ variant, manifests }) => {
    const made = renderChart(filesOf(variant));
    expect(byName(made)).toEqual(byName(manifests));
    expect(made.flatMap(modelFaults)).toEqual([]);
  });

  const odd = [
    ...['created-secret', 'fixed-replicas', 'everything', 'nothing'].map((name) => [
      `ci/${name}-values.yaml`,
    ]),
  ];
  it.each(odd)('fits the schemas with %s', (file) => {
    const made = renderChart([file]);
    expect(made.flatMap(modelFaults)).toEqual([]);
    const names = made.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
    const found = (kind: string) => made.filter((it) => it.kind === kind).length;
    expect({ file, secrets: found('Secret'), scaled: found('HorizontalPodAutoscaler') }).toEqual({
      file,
      secrets: file.includes('created') ? 1 : 0,
      scaled:
        file.includes('fixed') || file.includes('nothing')
          ? 0
          : 2 - Number(!file.includes('everything')),
    });
  });

  it.each([
    ['drain', /terminationGracePeriodSeconds: 30 is too short.*at least 137/],
    ['minutes', /drain_timeout 3m .* at least 197/],
    ['days', /drain_timeout 1d .* at least 86417/],
    ['number', /drain_timeout 134 .* at least 151/],
    ['no-secret', /secrets: give `existing`/],
    ['two-secrets', /secrets: give `existing` or `files`, not both/],
  ])('D7 X1 refuses ci/refused/%s.yaml, and says what to do', (name, message) => {
    expect(() => renderChart([`ci/refused/${name}.yaml`])).toThrow(message);
  });
});

describe('values.schema.json', () => {
  const check = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
    JSON.parse(chart('values.schema.json')),
  );
  const faults = (values: unknown) => (check(values) ? [] : (check.errors ?? []));
  const values = (): Record<string, unknown> => parse(chart('values.yaml'));

  it('knows every value, and refuses one that is written otherwise, at any depth', () => {
    expect(faults(values())).toEqual([]);
    const spoilt: string[] = [];
    const spoil = (node: unknown, path: string): void => {
      if (!isJson(node)) return;
      for (const [name, field] of Object.entries(node)) {
        const root = values();
        const at = path
          .split('.')
          .filter(Boolean)
          .reduce<Json>((json, part) => json[part] as Json, root);
        Reflect.deleteProperty(at, name);
        Reflect.set(at, `${name}x`, field);
        const isOpen = /Labels$|\.(requests|limits)$/.test(path);
        if (!isOpen && faults(root).length === 0) spoilt.push(`${path}.${name}`);
        spoil(field, `${path}.${name}`);
      }
    };
    spoil(values(), '');
    expect(spoilt).toEqual([]);
  });

  it('refuses a key of the configuration that no node knows', () => {
    const config = (change: object) =>
      faults({ ...values(), config: change }).map(({ message }) => message);
    const gateway = { port: 1, admin_port: 2 };
    expect(config({ gateway, redis: { url: 'redis://r' } })).toEqual([]);
    expect(
      config({
        gateway,
        redis: { sentinel: { name: 'm', nodes: ['a:1'] } },
        lease: { quorum: [] },
      }),
    ).toEqual([]);
    expect(config({ gateway, redis: { urls: 'x' } })).toHaveLength(1);
    expect(config({ gateway: { ...gateway, drain_timout: '1s' }, redis: {} })).toHaveLength(1);
    expect(config({ gateway: { port: 1 }, redis: {} })).toHaveLength(1);
  });
});

it('chart and program have one version', () => {
  const { version, appVersion } = parse(chart('Chart.yaml'));
  const own = JSON.parse(readFileSync('package.json', 'utf8')).version;
  expect({ version, appVersion }).toEqual({ version: own, appVersion: own });
});
