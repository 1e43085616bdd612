import { parseArgs } from 'node:util';

export const faultNames = [
  ...(['drain', 'rolling', 'shutdown', 'kill', 'stop', 'redis'] as const),
  ...(['cut', 'lost_reply', 'silence'] as const),
] as const;
export type FaultName = (typeof faultNames)[number];

export type ChaosOptions = {
  /** How long load and faults go on; what was accepted is awaited afterwards. */
  readonly seconds: number;
  readonly seed: number;
  readonly nodes: number;
  readonly sessions: number;
  readonly faults: readonly [FaultName, ...FaultName[]];
  /** Where to write the history as JSON. */
  readonly keep: string | undefined;
  /** Tells each fault and each finding. */
  readonly verbose: boolean;
};

export const usage = `usage: npm run chaos -- [--minutes N] [--seed N] [--nodes N] [--sessions N]
  [--faults ${faultNames.join(',')}] [--keep FILE] [--verbose]`;

const isFault = (name: string): name is FaultName => faultNames.some((known) => known === name);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} ${text}: no number`);
  return value;
}

export function parseOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1.5' },
      seed: { type: 'string', default: String(Math.floor(Date.now() % 1_000_000)) },
      nodes: { type: 'string', default: '3' },
      sessions: { type: 'string', default: '40' },
      faults: { type: 'string', default: faultNames.join(',') },
      keep: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const names = values.faults.split(',');
  const [first, ...rest] = names.filter(isFault);
  const unknown = names.filter((name) => !isFault(name));
  if (!first || unknown.length > 0) throw new Error(`--faults: unknown ${unknown.join(', ')}`);
  return {
    seconds: positive('minutes', values.minutes) * 60,
    seed: positive('seed', values.seed),
    nodes: Math.floor(positive('nodes', values.nodes)),
    sessions: Math.floor(positive('sessions', values.sessions)),
    faults: [first, ...rest],
    keep: values.keep,
    verbose: values.verbose,
  };
}
