import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { type Manifest, parseManifests, renderAll } from './manifests.js';
import { modelFaults } from './model-faults.js';

const rendered = renderAll();
const ofKind = (manifests: readonly Manifest[], kind: string) =>
  manifests.filter((manifest) => manifest.kind === kind);

describe.each(rendered)('k8s/: $name', ({ manifests }) => {
  it('fits the schemas, and has no field that they do not know', () => {
    expect(manifests.length).toBeGreaterThan(7);
    expect(manifests.flatMap(modelFaults)).toEqual([]);
  });

  it('names no object twice', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
  });
});

describe('the check itself', () => {
  /** The first Deployment, with one word replaced by another. */
  const spoilt = (word: string, other: string) => {
    const [deployment] = rendered.flatMap(({ manifests }) => ofKind(manifests, 'Deployment'));
    const text = JSON.stringify(deployment);
    expect(text).toContain(word);
    return parseManifests(text.replace(word, other)).flatMap(modelFaults);
  };

  it.each([
    ['"maxSurge"', '"maxSurg"', 'spec.strategy.rollingUpdate.maxSurg: no such field'],
    ['"readinessProbe"', '"readinessprobe"', 'spec.template.spec.containers.0.readinessprobe'],
    ['"terminationGracePeriodSeconds"', '"terminationGracePeriod"', 'terminationGracePeriod'],
    ['"secretName"', '"secretname"', 'spec.template.spec.volumes.1.secret.secretname'],
    ['"minReadySeconds":5', '"minReadySeconds":"5s"', 'spec.minReadySeconds: must be integer'],
    ['"template":', '"templates":', 'spec: must have required property template'],
  ])('finds %s written as %s', (word, other, fault) => {
    expect(spoilt(word, other).join('\n')).toContain(fault);
  });

  it.each([
    ['timeouts:', 'timeout:', 'spec.rules.0.timeout: no such field'],
    ['request: 0s', 'request: never', 'spec.rules.0.timeouts.request: must match pattern'],
    ['parentRefs:', 'parents:', 'spec.parents: no such field'],
  ])('finds %s of a route written as %s', (word, other, fault) => {
    const text = readFileSync('k8s/components/gateway-api/http-route.yaml', 'utf8');
    expect(parseManifests(text).flatMap(modelFaults)).toEqual([]);
    const faults = parseManifests(text.replace(word, other)).flatMap(modelFaults);
    expect(faults.join('\n')).toContain(fault);
  });
});
