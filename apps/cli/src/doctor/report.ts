/** One line of `sluice doctor`. */
export type Finding = {
  readonly status: 'ok' | 'warn' | 'FAIL';
  readonly check: 'configuration' | 'native' | 'redis' | 'agents' | 'port';
  readonly what: string;
  readonly remedy?: string;
};

export function lineOf({ status, what, remedy }: Finding): string {
  return `${status.padEnd(4)}  ${what}${remedy ? ` - ${remedy}` : ''}`;
}
