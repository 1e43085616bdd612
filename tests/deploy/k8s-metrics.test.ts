import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { rulesFile } from './alert-rules.js';
import { type Manifest, parseManifests, renderAll } from './manifests.js';
import { modelFaults } from './model-faults.js';
import { configOf, workloads } from './workload.js';

const rendered = renderAll();
const having = (kind: string, word = '') =>
  rendered
    .map(({ manifests }) => {
      const found = manifests.find((it) => it.kind === kind && JSON.stringify(it).includes(word));
      return { manifests, found };
    })
    .filter((it): it is typeof it & { found: Manifest } => it.found !== undefined);

const monitor = z.looseObject({
  spec: z.strictObject({
    jobLabel: z.string(),
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    podMetricsEndpoints: z.tuple([
      z.looseObject({ port: z.string(), path: z.literal('/metrics') }),
    ]),
  }),
});

describe('k8s/components/pod-monitor', () => {
  // Empty if only the base could be read.
  const monitored = having('PodMonitor');
  const podsOf = monitored.flatMap(({ manifests, found }) =>
    workloads(manifests).map((pod) => ({ pod, manifests, spec: monitor.parse(found).spec })),
  );

  it('finds the pods of every role, under the name that the alert rules mean', () => {
    expect(monitored.length > 0).toBe(rendered.length > 1);
    for (const { pod, spec } of podsOf) {
      const { labels } = pod.spec.template.metadata;
      expect(labels).toMatchObject(spec.selector.matchLabels);
      expect(readFileSync(rulesFile, 'utf8')).toContain(`job="${labels[spec.jobLabel]}"`);
    }
  });

  it('X1 asks on the port of operators, and no other answers without credentials', () => {
    for (const { pod, manifests, spec } of podsOf) {
      const [{ ports }] = pod.spec.template.spec.containers;
      const [{ port }] = spec.podMetricsEndpoints;
      const asked = ports.find(({ name }) => name === port)?.containerPort;
      const { gateway, metrics } = configOf(pod, manifests);
      expect(asked).toBe(gateway.adminPort);
      expect(metrics.public).toBe(false);
    }
  });
});

const external = z.object({
  spec: z.object({
    metrics: z.array(
      z.object({
        external: z.object({ metric: z.strictObject({ name: z.string() }) }).optional(),
      }),
    ),
  }),
});
const adapter = z.strictObject({
  rules: z.strictObject({
    external: z.tuple([
      z.strictObject({
        seriesQuery: z.string(),
        resources: z.unknown(),
        name: z.strictObject({ as: z.string() }),
        metricsQuery: z.string(),
      }),
    ]),
  }),
});

describe('k8s/components/hpa-prometheus-adapter', () => {
  const file = 'k8s/components/hpa-prometheus-adapter/adapter-rules.yaml';
  const [rule] = adapter.parse(parse(readFileSync(file, 'utf8'))).rules.external;

  it('takes the largest of the cluster metrics of all nodes, never the sum', () => {
    expect(rule.seriesQuery).toContain('sluice_cluster_');
    expect(rule.metricsQuery).toBe('max(<<.Series>>{<<.LabelMatchers>>})');
    expect(rule.name.as).toBe(rule.seriesQuery.replace(/\{.*/, ''));
  });

  it('lets the autoscaler ask for the metric that the adapter provides', () => {
    for (const { found } of having('HorizontalPodAutoscaler', 'sluice_')) {
      const names = external.parse(found).spec.metrics.flatMap((it) => it.external?.metric.name);
      expect(names.filter(Boolean)).toEqual([rule.name.as]);
    }
  });
});

it('the alert rules are a PrometheusRule as they are', () => {
  const lines = readFileSync(rulesFile, 'utf8').split('\n');
  const head =
    'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: sluice}';
  const text = `${head}\nspec:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  expect(parseManifests(text).flatMap(modelFaults)).toEqual([]);
  const spoilt = text.replace('annotations:', 'annotation:');
  expect(parseManifests(spoilt).flatMap(modelFaults).join()).toContain('no such field');
});
