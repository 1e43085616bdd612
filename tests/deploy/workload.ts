/** The pods of a Deployment, decoded as far as the tests need. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, loadConfig } from '@sluice/gateway';
import { z } from 'zod';
import type { Manifest } from './manifests.js';

const probe = z.looseObject({
  httpGet: z.looseObject({ path: z.string(), port: z.string() }),
});

const container = z.looseObject({
  name: z.literal('gateway'),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(
    z.union([
      z.strictObject({ name: z.string(), value: z.string() }),
      z.strictObject({
        name: z.string(),
        valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }) }),
      }),
    ]),
  ),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  lifecycle: z.object({
    preStop: z.object({
      exec: z.object({ command: z.tuple([z.literal('sleep'), z.string().regex(/^\d+$/)]) }),
    }),
  }),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
});

const deployment = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    // The autoscaler sets the number; a number here would undo that at each apply.
    replicas: z.undefined().optional(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.looseObject({
      metadata: z.looseObject({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([container]),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
});
export type Workload = z.output<typeof deployment>;

export const workloads = (manifests: readonly Manifest[]): Workload[] =>
  manifests.filter(({ kind }) => kind === 'Deployment').map((it) => deployment.parse(it));

const volume = z.object({
  configMap: z.object({ name: z.string() }).optional(),
  secret: z.looseObject({ secretName: z.string() }).optional(),
});
const configMap = z.looseObject({ data: z.object({ 'gateway.yaml': z.string() }) });

/** The files of the Secret; docs/operate/kubernetes.md says how to make it. */
export const secretFiles: Readonly<Record<string, string>> = {
  'app-token': 'app-d41f7a09c3b85e62f0a7914d6c2be835',
  'ops-token': 'ops-73c0e5b1f92a4d8860d3b7ea1c59f24b',
  'openai-key': 'sk-5c1f0a9be27d4386a1d0',
  'helper-secret': 'helper-91c2e7ab04f3d865',
  'redis-url': 'rediss://sluice:a-word@redis.example.com:6380/0',
};

/**
 * The configuration with which the pods of a Deployment start. Writes its ConfigMap and a Secret to the places
 * where it mounts them, below a temporary root, and loads them with its variables as the gateway does.
 */
export function configOf({ spec }: Workload, manifests: readonly Manifest[]): Config {
  const [{ args, env, volumeMounts }] = spec.template.spec.containers;
  const root = mkdtempSync(join(tmpdir(), 'sluice-pod-'));
  try {
    for (const { name, mountPath } of volumeMounts) {
      const dir = join(root, mountPath);
      mkdirSync(dir, { recursive: true });
      const source = volume.parse(spec.template.spec.volumes.find((it) => it.name === name));
      const files = source.secret ? secretFiles : filesOf(source.configMap?.name, manifests);
      for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
    }
    const variables = env.map((variable): [string, string] => {
      if ('value' in variable) return [variable.name, variable.value];
      const { fieldPath } = variable.valueFrom.fieldRef;
      const annotation = /^metadata\.annotations\['(.+)'\]$/.exec(fieldPath);
      return [variable.name, spec.template.metadata.annotations[annotation?.[1] ?? ''] ?? ''];
    });
    const [command, flag, file = ''] = args;
    if (command !== 'start' || flag !== '--config') throw new Error(`not understood: ${args}`);
    return loadConfig({
      file: join(root, file),
      flags: {},
      env: Object.fromEntries(variables),
      cwd: root,
    });
  } finally {
    rmSync(root, { recursive: true });
  }
}

function filesOf(name: string | undefined, manifests: readonly Manifest[]) {
  const found = manifests.find((it) => it.kind === 'ConfigMap' && it.metadata.name === name);
  return configMap.parse(found).data;
}

/** How long a node may take to end after its deadline (D7). */
const EXIT_S = 2;
/** Margin for the kubelet, which counts from before preStop, and for a busy machine. */
const MARGIN_S = 5;

/** The part of the grace period that is left after the longest drain; must be above 0. */
export function spareSeconds({ spec }: Workload, { gateway }: Config): number {
  const { terminationGracePeriodSeconds, containers } = spec.template.spec;
  const preStop = Number(containers[0].lifecycle.preStop.exec.command[1]);
  const needed = preStop + gateway.drainTimeoutMs / 1_000 + EXIT_S + MARGIN_S;
  return terminationGracePeriodSeconds - needed;
}
