/** The manifests that kustomize makes from k8s/, as objects. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
export type Manifest = z.output<typeof manifest>;

/** An overlay, with components added as docs/operate/kubernetes.md says. */
export type Variant = { readonly overlay: string; readonly components: readonly string[] };

const optional = [
  ...['split-roles', 'hpa-keda', 'hpa-prometheus-adapter', 'pod-monitor', 'gateway-api'],
];
const together = (hpa: string) => ['split-roles', hpa, 'pod-monitor'];
const variants: readonly Variant[] = [
  { overlay: 'local', components: [] },
  { overlay: 'production', components: [] },
  ...optional.map((name) => ({ overlay: 'production', components: [name] })),
  { overlay: 'production', components: together('hpa-keda') },
  { overlay: 'production', components: together('hpa-prometheus-adapter') },
  { overlay: 'production', components: [...together('hpa-keda'), 'gateway-api'] },
];

/** Some builds of kubectl first ask a cluster for its version: this keeps them from finding one. */
const env = { ...process.env, KUBECONFIG: '/dev/null' };

/** The first minor version of kubectl with kustomize 5, which these files need. */
const MINOR_MIN = 27;

export function findKustomize(): boolean {
  try {
    const options = { encoding: 'utf8', timeout: 10_000, env } as const;
    const text = execFileSync('kubectl', ['version', '--client', '-o', 'json'], options);
    const version = z.object({ clientVersion: z.object({ major: z.string(), minor: z.string() }) });
    const { major, minor } = version.parse(JSON.parse(text)).clientVersion;
    return major === '1' && Number.parseInt(minor, 10) >= MINOR_MIN;
  } catch {
    return false;
  }
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    const object: unknown = document.toJS();
    return object === null ? [] : [manifest.parse(object)];
  });
}

export function renderVariant({ overlay, components }: Variant): Manifest[] {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-k8s-'));
  try {
    cpSync('k8s', dir, { recursive: true });
    const target = join(dir, 'overlays', overlay);
    const lines = components.map((name) => `  - ../../components/${name}\n`);
    const list = lines.length > 0 ? ['\ncomponents:\n', ...lines] : [];
    appendFileSync(join(target, 'kustomization.yaml'), list.join(''));
    const options = { encoding: 'utf8', timeout: 30_000, env } as const;
    return parseManifests(execFileSync('kubectl', ['kustomize', target], options));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Without kustomize: the files of the base, and the ConfigMap that it would generate. */
function readBase(): Manifest[] {
  const read = (file: string) => readFileSync(join('k8s', 'base', file), 'utf8');
  const files = readdirSync('k8s/base').filter((file) => file.endsWith('.yaml'));
  const resources = z.object({ resources: z.array(z.string()) });
  const listed = resources.parse(parse(read('kustomization.yaml'))).resources;
  const own = files.filter((file) => listed.includes(file));
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'sluice-config' },
    data: { 'gateway.yaml': read('gateway.yaml') },
  };
  return [...own.flatMap((file) => parseManifests(read(file))), config];
}

export type Rendered = {
  readonly name: string;
  /** Undefined: only the base could be read. */
  readonly variant?: Variant;
  readonly manifests: readonly Manifest[];
};

/** Renders every variant. Without a kubectl with kustomize 5: only the base, and it prints a line about it. */
export function renderAll(): Rendered[] {
  if (findKustomize()) {
    return variants.map((variant) => ({
      name: [variant.overlay, ...variant.components].join(' + '),
      variant,
      manifests: renderVariant(variant),
    }));
  }
  process.stderr.write(
    `no kubectl of version 1.${MINOR_MIN} or newer was found: of k8s/ only the files of base are checked\n`,
  );
  return [{ name: 'base', manifests: readBase() }];
}
