const STEPS = [
  { below: 120, unit: 's', seconds: 1 },
  { below: 120 * 60, unit: 'm', seconds: 60 },
  { below: 48 * 3_600, unit: 'h', seconds: 3_600 },
] as const;

/** How long ago: `8s`, `5m`, `7h`, `3d`. A time ahead of this machine's clock counts as now. */
export function ageOf(atSeconds: number, nowMs: number): string {
  return lasting(nowMs / 1_000 - atSeconds);
}

/** A length of time in one unit, rounded down. */
export function lasting(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const step = STEPS.find(({ below }) => whole < below) ?? { unit: 'd', seconds: 86_400 };
  return `${Math.floor(whole / step.seconds)}${step.unit}`;
}
