import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@sluice/gateway';
import { rulesFile } from './alert-rules.js';
import { environmentOf, gateways, keys, services } from './compose-file.js';
import { prometheusFile } from './prometheus-file.js';

function configOf(gateway: string) {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  try {
    return loadConfig({
      file: join(process.cwd(), 'deploy/compose/gateway.yaml'),
      flags: {},
      env: environmentOf(gateway),
      cwd,
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

describe('docker-compose.yml', () => {
  it('is written to the specification: no version, which newer ones call obsolete', () => {
    expect(keys).not.toContain('version');
    expect(gateways).toEqual(['gateway-1', 'gateway-2', 'gateway-3']);
  });

  it('D7 gives each node longer to end than it takes at the most', () => {
    for (const name of gateways) {
      const { gateway } = configOf(name);
      const graceS = Number.parseInt(services[name]?.stop_grace_period ?? '', 10);
      expect(graceS).toBeGreaterThan(gateway.drainTimeoutMs / 1_000 + 2 + 5);
    }
  });

  it('X3 has tokens, an origin, and ports on this machine only', () => {
    for (const name of gateways) {
      const { gateway } = configOf(name);
      expect(gateway.auth?.tokens).toHaveLength(2);
      expect(gateway.allowedOrigins).toContain('http://127.0.0.1:8080');
      expect(services[name]?.ports).toEqual([]);
    }
    const published = Object.values(services).flatMap(({ ports }) => ports);
    expect(published.length).toBeGreaterThan(0);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('S1 C4 has a Redis that writes everything to disk, and evicts nothing', () => {
    const redis = services.redis?.command.join(' ');
    expect(redis).toContain('--appendonly yes');
    expect(redis).toContain('--maxmemory-policy noeviction');
    for (const name of gateways) expect(configOf(name).redis.url).toBe('redis://redis:6379');
  });

  it('lets Prometheus ask every node by its name, and load the rules where they are mounted', () => {
    const config = prometheusFile('deploy/prometheus/prometheus.yml');
    const job = config.scrape_configs.find(({ job_name }) => job_name === 'sluice');
    const expected = gateways.map((name) => `${name}:${configOf(name).gateway.port}`);
    expect(job?.static_configs).toEqual([{ targets: expected }]);
    expect(services.prometheus?.volumes).toContain('./deploy/prometheus:/etc/prometheus:ro');
    expect(config.rule_files).toEqual([relative('deploy/prometheus', rulesFile)]);
  });

  it('tells HAProxy of every node, on the port where it listens', () => {
    const { environment = {} } = services.haproxy ?? {};
    const nodes = Object.entries(environment).filter(([name]) => name.startsWith('SLUICE_NODE_'));
    const expected = gateways.map((name) => `${name}:${configOf(name).gateway.port}`);
    expect(nodes.map(([, address]) => address)).toEqual(expected);
    const places = readFileSync('deploy/haproxy/haproxy.cfg', 'utf8').match(/\$\{SLUICE_NODE_\d/g);
    expect(places).toHaveLength(nodes.length);
  });
});
