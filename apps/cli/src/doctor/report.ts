/** One line of `sluice doctor`. */
export type Finding = {
  readonly status: 'ok' | 'warn' | 'FAIL';
  readonly check: 'configuration' | 'native' | 'redis' | 'quorum' | 'agents' | 'port';
  /** Which one of several checks: of a Redis, `version`, `eviction` and the like. */
  readonly name?: string;
  readonly what: string;
  readonly remedy?: string;
};

export function lineOf({ status, what, remedy }: Omit<Finding, 'check'>): string {
  return `${status.padEnd(4)}  ${what}${remedy ? ` - ${remedy}` : ''}`;
}
