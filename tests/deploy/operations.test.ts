import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { services } from './compose-file.js';
import { renderAll } from './manifests.js';
import { configOf, spareSeconds, workloads } from './workload.js';

const page = readFileSync('docs/operate/operations.md', 'utf8');

/** Numbers of a row in the table of drain times: preStop, drain, exit, margin, sum, grace. */
function rowOf(place: string): number[] {
  const [line = ''] = page.split('\n').filter((text) => text.startsWith(`| \`${place}\``));
  return [...line.matchAll(/(\d+) s\b/g)].map(([, seconds]) => Number(seconds));
}

describe('docs/operate/operations.md', () => {
  it('D7 adds up preStop, drain, exit and margin as the files of k8s/ do', () => {
    // Empty if only the base could be read.
    const plain = renderAll().filter(({ name }) => /^(local|production)$/.test(name));
    for (const { name, manifests } of plain) {
      for (const pod of workloads(manifests)) {
        const config = configOf(pod, manifests);
        const { terminationGracePeriodSeconds: grace, containers } = pod.spec.template.spec;
        const preStop = Number(containers[0].lifecycle.preStop.exec.command[1]);
        const sum = grace - spareSeconds(pod, config);
        const drain = config.gateway.drainTimeoutMs / 1_000;
        expect(rowOf(`k8s/overlays/${name}`)).toEqual([preStop, drain, 2, 5, sum, grace]);
      }
    }
  });

  it('names commands and options that there are', () => {
    const quoted = [...page.matchAll(/(?:`|^ {4})(sluice [^`\n#]*)/gm)].map(
      ([, text = '']) => text,
    );
    const asked = [...new Set(quoted.map((text) => text.trim()))];
    expect(asked.length).toBeGreaterThan(12);
    for (const text of asked) {
      const [, ...words] = text.split(/\s+/);
      // The words of the command; names and options come after them.
      const end = words.findIndex((word) => !/^[a-z]+(-[a-z]+)*$/.test(word));
      const command = end === -1 ? words : words.slice(0, end);
      const options = { encoding: 'utf8', timeout: 20_000 } as const;
      const help = execFileSync('bin/sluice', [...command, '--help'], options);
      expect(help).toContain(`Usage: ${['sluice', ...command].join(' ')} `);
      for (const flag of words.filter((word) => word.startsWith('--')))
        expect(help).toContain(flag);
    }
  }, 60_000);

  it('D7 adds up the same for docker-compose.yml', () => {
    const [preStop = 0, drain = 0, exit = 0, margin = 0, sum, grace] = rowOf('docker-compose.yml');
    expect(sum).toBe(preStop + drain + exit + margin);
    expect(`${grace}s`).toBe(services['gateway-1']?.stop_grace_period);
    expect(readFileSync('deploy/compose/gateway.yaml', 'utf8')).toContain(
      `drain_timeout: ${drain}s`,
    );
  });
});
