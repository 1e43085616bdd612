import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  freePort,
  type GatewayProcess,
  startChild,
  startGateway,
  startRedis,
} from '@sluice/testkit';
import { z } from 'zod';
import { alerts, rulesFile } from '../deploy/alert-rules.js';
import { filled, queries } from '../deploy/dashboard.js';
import { prometheusFile } from '../deploy/prometheus-file.js';
import { programs } from '../deploy/prometheus-programs.js';

const targets = z.object({
  activeTargets: z.array(
    z.looseObject({ health: z.string(), lastError: z.string(), labels: z.looseObject({}) }),
  ),
});
const rules = z.object({
  groups: z.array(
    z.looseObject({
      rules: z.array(
        z.looseObject({ name: z.string(), health: z.string(), lastError: z.string().optional() }),
      ),
    }),
  ),
});
const values = z.object({
  result: z.array(z.object({ value: z.tuple([z.number(), z.string()]), metric: z.unknown() })),
});

/** Writes the shipped configuration, with this node in place of those of docker-compose.yml. */
function writeConfig(dir: string, target: string): string {
  const shipped = prometheusFile('deploy/prometheus/prometheus.yml');
  const file = join(dir, 'prometheus.yml');
  const jobs = shipped.scrape_configs
    .filter(({ job_name }) => job_name === 'sluice')
    .map((job) => ({ ...job, static_configs: [{ targets: [target] }] }));
  const config = { ...shipped, rule_files: [resolve(rulesFile)], scrape_configs: jobs };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

(programs.prometheus ? describe : describe.skip)('Prometheus', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'));
  let gateway: GatewayProcess;
  let child: ReturnType<typeof startChild>;
  let url = '';

  async function ask<T>(path: string, data: z.ZodType<T>): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`, { signal: AbortSignal.timeout(5_000) });
    return z.object({ data }).parse(await response.json()).data;
  }
  const numbers = async (query: string) => {
    const { result } = await ask(`query?query=${encodeURIComponent(query)}`, values);
    return result.map(({ value: [, value] }) => Number(value));
  };

  beforeAll(async () => {
    const redis = await startRedis();
    gateway = await startGateway({
      redisUrl: redis.url,
      config: {
        metrics: { public: true },
        session_end: { groups: ['ops'] },
        agents: { echo: { kind: 'echo' }, program: { kind: 'command', command: ['cat'] } },
      },
    });
    const address = `127.0.0.1:${await freePort()}`;
    url = `http://${address}`;
    child = startChild(programs.prometheus ?? '', [
      `--config.file=${writeConfig(dir, `127.0.0.1:${gateway.port}`)}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
    ]);
    child.stdout.resume();
    child.stderr.resume();
    const ready = async () => (await fetch(`${url}/-/ready`)).status === 200;
    await eventually(ready, 30_000);
  }, 60_000);

  afterAll(async () => {
    if (child && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await gateway?.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  it('reads the metrics of a node', async () => {
    await eventually(async () => {
      const { activeTargets } = await ask('targets?state=active', targets);
      expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }]);
    }, 30_000);
    await eventually(async () => {
      expect(await numbers('sluice_build_info')).toEqual([1]);
      expect(await numbers('sluice_redis_up')).toEqual([1]);
      expect(await numbers('max(sluice_cluster_live_workers)')).toEqual([1]);
    }, 30_000);
  }, 60_000);

  it('finds nothing wrong with the names and types of our metrics', async () => {
    const input = await (await fetch(`${gateway.url}/metrics`)).text();
    const options = { input, encoding: 'utf8', timeout: 20_000 } as const;
    const { stdout, stderr } = spawnSync(programs.promtool ?? '', ['check', 'metrics'], options);
    const lines = `${stdout}${stderr}`.split('\n').filter(Boolean);
    // Metrics of prom-client itself.
    expect(lines.filter((line) => !line.startsWith('nodejs_'))).toEqual([]);
  });

  it('has an answer to every query of the dashboard, of a node that has served', async () => {
    const client = await FrameClient.connect(gateway.wsUrl);
    await client.hello({ session_id: 'seen' });
    client.message('hello');
    await client.next((frame) => frame.status === 'final');
    const silent = async () => {
      const asked = queries.map(async ({ who, expr }) => ({
        who,
        expr,
        found: (await numbers(filled(expr))).length,
      }));
      return (await Promise.all(asked)).filter(({ found, who }) => {
        // There are no firing alerts and no drains, maxmemory is not set, and there is no quorum.
        return found === 0 && !['annotation', 'Redis memory', 'Quorum members'].includes(who);
      });
    };
    await eventually(async () => expect(await silent()).toEqual([]), 30_000);
  }, 60_000);

  it('loads the alert rules and evaluates each of them', async () => {
    await eventually(async () => {
      const { groups } = await ask('rules?type=alert', rules);
      const found = groups.flatMap((group) => group.rules);
      expect(found.map(({ name }) => name).sort()).toEqual(alerts.map((it) => it.alert).sort());
      expect(found.filter(({ health }) => health !== 'ok')).toEqual([]);
    }, 45_000);
  }, 60_000);
});
