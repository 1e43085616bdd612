import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type Manifest, renderAll } from './manifests.js';
import { configOf, secretFiles, spareSeconds, type Workload, workloads } from './workload.js';

const labels = z.record(z.string(), z.string());
const has = (all: z.output<typeof labels>, some: z.output<typeof labels>) =>
  Object.entries(some).every(([name, value]) => all[name] === value);

/** Names of the Deployments whose pods a selector matches. */
const podsOf = (pods: readonly Workload[], selector: z.output<typeof labels>) =>
  pods
    .filter(({ spec }) => has(spec.template.metadata.labels, selector))
    .map(({ metadata }) => metadata.name);

const find = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
  const found = manifests.find((it) => it.kind === kind && it.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
};

const rendered = renderAll();

describe.each(rendered)('k8s/: $name', ({ manifests }) => {
  const pods = workloads(manifests);

  it('D7 preStop, drain_timeout, 2 s and a margin fit into the grace period of every pod', () => {
    expect(pods.length).toBeGreaterThan(0);
    for (const pod of pods) {
      const config = configOf(pod, manifests);
      expect(spareSeconds(pod, config)).toBeGreaterThan(0);
      // The sum must follow the configuration: a longer drain does not fit.
      const drainTimeoutMs = config.gateway.drainTimeoutMs + 60_000;
      const longer = { ...config, gateway: { ...config.gateway, drainTimeoutMs } };
      expect(spareSeconds(pod, longer)).toBeLessThan(0);
    }
  });

  it('X3 the configuration loads, with the Secret as files and tokens for everybody', () => {
    for (const pod of pods) {
      const { gateway, redis } = configOf(pod, manifests);
      expect(gateway.host).toBe('0.0.0.0');
      expect(gateway.allowedOrigins.length).toBeGreaterThan(0);
      const tokens = gateway.auth?.tokens.flatMap(({ secret }) => secret.values);
      expect(tokens).toEqual([secretFiles['app-token'], secretFiles['ops-token']]);
      expect(redis.url).toBe(secretFiles['redis-url']);
    }
  });

  it('D1 the probes ask /ready and /live on the port of the configuration', () => {
    for (const pod of pods) {
      const [{ ports, startupProbe, readinessProbe, livenessProbe }] =
        pod.spec.template.spec.containers;
      const { port, adminPort } = configOf(pod, manifests).gateway;
      expect(ports).toEqual([
        { name: 'http', containerPort: port },
        { name: 'admin', containerPort: adminPort },
      ]);
      expect(startupProbe.httpGet).toEqual({ path: '/live', port: 'admin' });
      expect(readinessProbe.httpGet).toEqual({ path: '/ready', port: 'http' });
      expect(livenessProbe.httpGet).toEqual({ path: '/live', port: 'admin' });
    }
  });

  it('every role is run by somebody, and the Services lead to sockets', () => {
    const roles = new Map(
      pods.map((pod) => [pod.metadata.name, configOf(pod, manifests).gateway.roles]),
    );
    expect([...new Set([...roles.values()].flat())].sort()).toEqual(['edge', 'worker']);
    const service = z.looseObject({ spec: z.looseObject({ selector: labels }) });
    for (const name of ['sluice', 'sluice-admin']) {
      const behind = podsOf(pods, service.parse(find(manifests, 'Service', name)).spec.selector);
      expect(behind).toHaveLength(1);
      for (const pod of behind) expect(roles.get(pod)).toContain('edge');
    }
  });

  it('X2 the port of operators is reached from the namespace, and by Prometheus, only', () => {
    const policy = z.looseObject({
      spec: z.looseObject({
        ingress: z.array(
          z.object({
            from: z.array(z.record(z.string(), z.unknown())).min(1),
            ports: z.array(z.looseObject({ port: z.string() })),
          }),
        ),
      }),
    });
    const names = ['sluice', 'sluice-metrics'];
    const from = manifests
      .filter(({ kind, metadata }) => kind === 'NetworkPolicy' && names.includes(metadata.name))
      .flatMap((it) => policy.parse(it).spec.ingress)
      .filter(({ ports }) => ports.some(({ port }) => port === 'admin'))
      .flatMap((rule) => rule.from);
    // Prometheus: both selectors in one entry, which means these pods in that namespace.
    const prometheus = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } },
    };
    const isMonitored = manifests.some(({ kind }) => kind === 'PodMonitor');
    expect(from).toEqual([{ podSelector: {} }, ...(isMonitored ? [prometheus] : [])]);
    const ways = manifests.filter(({ kind }) => kind === 'Ingress' || kind === 'HTTPRoute');
    expect(ways.map(({ metadata }) => metadata.name)).toEqual(['sluice']);
    expect(JSON.stringify(ways)).not.toContain('admin');
  });

  it('each Deployment owns its pods alone, and has one autoscaler and one disruption budget', () => {
    const scaled = z.looseObject({
      spec: z.looseObject({ scaleTargetRef: z.looseObject({ name: z.string() }) }),
    });
    const budget = z.looseObject({
      spec: z.looseObject({ selector: z.object({ matchLabels: labels }) }),
    });
    const ofKinds = (...kinds: string[]) => manifests.filter(({ kind }) => kinds.includes(kind));
    const names = pods.map(({ metadata }) => metadata.name).sort();
    const targets = ofKinds('HorizontalPodAutoscaler', 'ScaledObject')
      .map((it) => scaled.parse(it).spec.scaleTargetRef.name)
      .sort();
    expect(targets).toEqual(names);
    const kept = ofKinds('PodDisruptionBudget')
      .flatMap((it) => podsOf(pods, budget.parse(it).spec.selector.matchLabels))
      .sort();
    expect(kept).toEqual(names);
    for (const { metadata, spec } of pods) {
      expect(podsOf(pods, spec.selector.matchLabels)).toEqual([metadata.name]);
    }
  });

  it('no pod has rights that it does not need', () => {
    const strict = z.looseObject({
      automountServiceAccountToken: z.literal(false),
      securityContext: z.looseObject({
        runAsNonRoot: z.literal(true),
        seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
      }),
      containers: z.array(
        z.looseObject({
          resources: z.object({
            requests: z.object({ cpu: z.string(), memory: z.string() }),
            limits: z.looseObject({ memory: z.string() }),
          }),
          securityContext: z.object({
            allowPrivilegeEscalation: z.literal(false),
            readOnlyRootFilesystem: z.literal(true),
            capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
          }),
        }),
      ),
    });
    const template = z.looseObject({
      spec: z.looseObject({ template: z.looseObject({ spec: strict }) }),
    });
    const running = manifests.filter(({ kind }) => /^(Deployment|StatefulSet)$/.test(kind));
    for (const it of running) {
      expect({ name: it.metadata.name, ...template.safeParse(it) }).toMatchObject({
        success: true,
      });
    }
  });
});

it('D7 production: 120 s of a grace period of 150 s, and 1,024 partitions', () => {
  // Empty if only the base could be read.
  for (const { manifests } of rendered.filter(({ name }) => name.startsWith('production'))) {
    for (const pod of workloads(manifests)) {
      const { gateway, redis } = configOf(pod, manifests);
      expect(gateway.drainTimeoutMs).toBe(120_000);
      expect(pod.spec.template.spec.terminationGracePeriodSeconds).toBe(150);
      expect(redis.partitions).toBe(1_024);
    }
  }
});
