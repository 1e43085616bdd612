/** The alert rules of Prometheus, decoded. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

export const rulesFile = 'deploy/prometheus/rules/sluice.yml';
export const casesFile = 'deploy/prometheus/rules/tests.yml';

const alert = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.string(),
  }),
});
export type Alert = z.output<typeof alert>;

const rules = z.strictObject({
  groups: z.array(
    z.strictObject({ name: z.string(), interval: z.string(), rules: z.array(alert) }),
  ),
});

export const alerts: readonly Alert[] = rules
  .parse(parse(readFileSync(rulesFile, 'utf8')))
  .groups.flatMap((group) => group.rules);

const cases = z.looseObject({
  tests: z.array(
    z.looseObject({
      alert_rule_test: z.array(
        z.looseObject({ alertname: z.string(), exp_alerts: z.array(z.unknown()).default([]) }),
      ),
    }),
  ),
});

/** Names of the alerts that tests.yml expects to fire, or not to fire. */
export function expectedOf(fires: boolean): string[] {
  const { tests } = cases.parse(parse(readFileSync(casesFile, 'utf8')));
  const all = tests.flatMap((test) => test.alert_rule_test);
  const meant = all.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires);
  return [...new Set(meant.map(({ alertname }) => alertname))].sort();
}
