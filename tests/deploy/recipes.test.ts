import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Config } from '@sluice/gateway';
import { FrameClient, startGateway, startRedis } from '@sluice/testkit';
import { renderChart, renderer } from './helm.js';
import { findKustomize, type Manifest, renderVariant } from './manifests.js';
import { modelFaults } from './model-faults.js';
import { configOf, workloads } from './workload.js';

const recipes = readdirSync('k8s/recipes', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** What is said of agents in each recipe. */
const agents: Readonly<Record<string, object>> = {
  'model-key': { assistant: { kind: 'openai', model: 'gpt-4o-mini' } },
  'own-agent': { mine: { kind: 'module', path: '/sluice/agents/mine.mjs' } },
  'agent-in-cluster': {
    helper: { kind: 'http', url: 'http://helper.agents.svc.cluster.local/turn' },
  },
};

const mayReach = (manifests: readonly Manifest[], port: number) =>
  manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .some((policy) => JSON.stringify(Object(policy.spec).egress ?? []).includes(`"port":${port}`));

function judge(name: string, manifests: readonly Manifest[]): void {
  expect(manifests.flatMap(modelFaults)).toEqual([]);
  const [pod, ...others] = workloads(manifests);
  if (!pod) throw new Error('no Deployment');
  expect(others).toEqual([]);
  const config: Config = configOf(pod, manifests);
  expect(config.agents).toMatchObject(agents[name] ?? {});
  const [{ image }] = pod.spec.template.spec.containers;
  expect(image.includes('-with-mine')).toBe(name === 'own-agent');
  expect(mayReach(manifests, 8080)).toBe(name === 'agent-in-cluster');
}

describe('k8s/recipes', () => {
  it('has these', () => {
    expect(recipes.sort()).toEqual(Object.keys(agents).sort());
  });

  (findKustomize() ? it : it.skip).each(recipes)('%s, added to an overlay', (name) => {
    judge(name, renderVariant({ overlay: 'production', components: [`../recipes/${name}`] }));
  });

  (renderer ? it : it.skip).each(recipes)('%s, as values of the chart', (name) => {
    judge(name, renderChart([`../recipes/${name}/values.yaml`]));
  });

  it('own-agent copies the module to where the configuration looks for it', async () => {
    const dockerfile = readFileSync('k8s/recipes/own-agent/Dockerfile', 'utf8');
    const [, from = '', to = ''] = /^COPY (\S+) (\S+)$/m.exec(dockerfile) ?? [];
    const path = '/sluice/agents/mine.mjs'.replace(to, resolve('k8s/recipes/own-agent', from));
    const redis = await startRedis();
    const gateway = await startGateway({
      redisUrl: redis.url,
      config: { agents: { mine: { kind: 'module', path } } },
    });
    const client = await FrameClient.connect(gateway.wsUrl);
    await client.hello({ agent_id: 'mine' });
    const final = await client.final(client.message('hello'));
    expect(final).toMatchObject({ outcome: { status: 'ok' }, content: 'You said hello' });
    await client.close();
    await gateway.kill();
  }, 30_000);
});
