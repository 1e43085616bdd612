import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { alerts, casesFile, expectedOf, rulesFile } from './alert-rules.js';
import { programs } from './prometheus-programs.js';
import { aggregationsOfAlike } from './promql.js';

const page = readFileSync('docs/operate/operations.md', 'utf8');
const names = alerts.map((rule) => rule.alert).sort();

/** The anchor of a heading, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text);

describe('deploy/prometheus/rules', () => {
  it('every alert has its section in docs/operate/operations.md, and every such section its alert', () => {
    expect(names.length).toBeGreaterThan(10);
    expect(headings.filter((text) => /^Sluice[A-Z]/.test(text)).sort()).toEqual(names);
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`docs/operate/operations.md#${anchorOf(alert)}`);
    }
  });

  it('every section says how severe it is and for how long it must hold, as the rule does', () => {
    for (const { alert, labels, for: duration } of alerts) {
      const [, text = ''] = page.split(`\n### ${alert}\n\n`);
      const time = duration?.replace(/(\d+)m/, '$1 min').replace(/(\d+)s/, '$1 s') ?? 'at once';
      expect(text).toMatch(new RegExp(`^\\*${labels.severity}, ${time}\\b`));
    }
  });

  it('every description names the value that was found, except where there is none', () => {
    const silent = alerts.filter(({ annotations }) => !annotations.description.includes('$value'));
    expect(silent.map(({ alert }) => alert).sort()).toEqual(['SluiceAbsent', 'SluiceNodeDown']);
  });

  it('never sums cluster metrics over the nodes', () => {
    const found = alerts.flatMap(({ expr }) => aggregationsOfAlike(expr));
    expect(found.length).toBeGreaterThan(6);
    expect(found.filter((by) => by !== 'max')).toEqual([]);
  });

  it('links within docs/operate/operations.md lead to a heading', () => {
    const anchors = headings.map(anchorOf);
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor);
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
  });

  it('every alert has a case in which it fires and one in which it stays quiet', () => {
    expect(expectedOf(true)).toEqual(names);
    expect(expectedOf(false)).toEqual(names);
  });
});

const { promtool } = programs;
(promtool ? describe : describe.skip)('promtool', () => {
  const run = (...args: string[]) =>
    execFileSync(promtool ?? '', args, { encoding: 'utf8', timeout: 60_000, stdio: 'pipe' });

  it('takes the rules, and finds each case as expected', () => {
    expect(run('check', 'rules', rulesFile)).toContain(`${alerts.length} rules found`);
    expect(run('test', 'rules', casesFile)).toContain('SUCCESS');
  });

  // Each changes one rule: the cases must fail.
  it.each([
    ['sums what is of the cluster', /max by/g, 'sum by'],
    ['waits for nothing', /for: \S+/g, 'for: 0s'],
    ['looks at the delivery alone', ' + sluice_cluster_group_pending', ''],
    ['overlooks a counter that appears', /or\n.*unless.*\n/g, ''],
    ['divides by no limit', ' > 0)', ')'],
    ['takes any process for a node', /\{job="sluice"\}/g, ''],
  ])('finds a rule that %s', (_, what, other) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
    try {
      const text = readFileSync(rulesFile, 'utf8');
      const spoilt = text.replaceAll(what, other);
      expect(spoilt).not.toBe(text);
      writeFileSync(join(dir, 'sluice.yml'), spoilt);
      cpSync(casesFile, join(dir, 'tests.yml'));
      expect(() => run('test', 'rules', join(dir, 'tests.yml'))).toThrow(/FAILED/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
