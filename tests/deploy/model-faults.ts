/** Checks manifests against the schemas of Kubernetes, of KEDA and of the Prometheus operator. */
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { Manifest } from './manifests.js';

const require = createRequire(import.meta.url);

/** The package with the models of each API group; those of Kubernetes itself are in one package. */
const packages: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

type Validate = (this: unknown) => void;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function modelOf({ apiVersion, kind }: Manifest): { validate: Validate; prototype: object } {
  const from = packages[apiVersion.split('/')[0] ?? ''] ?? 'kubernetes-models';
  const loaded: unknown = require(`${from}/${apiVersion}/${kind}`);
  const model = isObject(loaded) ? loaded[kind] : undefined;
  const isValidate = (value: unknown): value is Validate => typeof value === 'function';
  const prototype = typeof model === 'function' ? model.prototype : {};
  const { validate } = prototype;
  if (!isValidate(validate)) throw new Error(`${from} has no model of ${apiVersion} ${kind}`);
  return { validate, prototype };
}

/**
 * A copy that remembers which fields of each object were read. The schemas accept unknown fields, but they read
 * every field that they know, also absent ones: so a field that is never read is unknown. An object of which
 * nothing was read may have any fields.
 */
function watch(value: unknown, path: string, unasked: (() => string[])[]): unknown {
  if (!isObject(value)) return value;
  const inner = Array.isArray(value) ? [...value] : { ...value };
  for (const [key, field] of Object.entries(value)) {
    Reflect.set(inner, key, watch(field, `${path}.${key}`, unasked));
  }
  if (Array.isArray(inner)) return inner;
  const asked = new Set<PropertyKey>();
  unasked.push(() => {
    const keys = Object.keys(value).filter((key) => !asked.has(key));
    return asked.size === 0 ? [] : keys.map((key) => `${path}.${key}: no such field`);
  });
  return new Proxy(inner, {
    get(target, key) {
      asked.add(key);
      return Reflect.get(target, key);
    },
  });
}

const problems = z.object({
  errors: z.array(z.looseObject({ instancePath: z.string(), message: z.string().optional() })),
});

/** The faults of a manifest: one line for each invalid value and each unknown field. */
export function modelFaults(manifest: Manifest): string[] {
  const name = `${manifest.kind} ${manifest.metadata.name}`;
  const unasked: (() => string[])[] = [];
  const watched = Object(watch(manifest, name, unasked));
  const faults: string[] = [];
  const { validate, prototype } = modelOf(manifest);
  // Some models find their schema there.
  Object.setPrototypeOf(watched, prototype);
  try {
    validate.call(watched);
  } catch (error) {
    const known = problems.safeParse(error);
    if (!known.success) throw error;
    for (const { instancePath, message } of known.data.errors) {
      faults.push(`${name}${instancePath.replaceAll('/', '.')}: ${message ?? 'does not fit'}`);
    }
  }
  return [...faults, ...unasked.flatMap((ask) => ask())];
}
