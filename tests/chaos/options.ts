import { parseArgs } from 'node:util';
import { type Durability, durabilities } from '@sluice/protocol';
import { HAPROXY_NODES } from '@sluice/testkit';

export const faultNames = [
  ...(['drain', 'rolling', 'shutdown', 'kill', 'stop', 'redis'] as const),
  ...(['cut', 'lost_reply', 'silence'] as const),
  ...(['member'] as const),
] as const;
export type FaultName = (typeof faultNames)[number];

const topologies = ['one', 'sentinel'] as const;

const balancers = ['plain', 'haproxy'] as const;
export type BalancerName = (typeof balancers)[number];

export type ChaosOptions = {
  /** How long load and faults go on; then accepted messages are awaited. */
  readonly seconds: number;
  /** How many times each fault is played, one after the other, however long that takes. */
  readonly rounds: number | undefined;
  readonly balancer: BalancerName;
  /** `one` Redis and all faults, or `sentinel` and its failovers. */
  readonly topology: (typeof topologies)[number];
  /** `redis.durability`, on Sentinel. */
  readonly durability: Durability;
  readonly leaseTtlMs: number;
  /** `session.resume_window` under load; at the end it is 5 s in any case. */
  readonly resumeWindow: string;
  /** `gateway.max_connection_age`; 0: no limit. With a limit, connections must be level again after the faults. */
  readonly maxConnectionAgeMs: number;
  readonly seed: number;
  readonly nodes: number;
  readonly sessions: number;
  readonly faults: readonly [FaultName, ...FaultName[]];
  /** Where to write the history as JSON. */
  readonly keep: string | undefined;
  /** Independent masters that have the Redlocks; 0: the data Redis has them. */
  readonly quorum: number;
  /** Print each fault and each finding. */
  readonly verbose: boolean;
};

export const usage = `usage: npm run chaos -- [--minutes N | --rounds N] [--seed N] [--nodes N] [--sessions N]
  [--balancer plain|haproxy] [--lease-ttl SECONDS] [--resume-window SECONDS]
  [--max-connection-age SECONDS] [--quorum MEMBERS]
  [--faults ${faultNames.join(',')}] [--keep FILE] [--verbose]
  --topology sentinel [--durability memory|replica]: failovers under load, other faults do not apply`;

const isFault = (name: string): name is FaultName => faultNames.some((known) => known === name);

function positive(name: string, given: string): number {
  const text = given.replace(/(?<=\d)s$/, '');
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} ${text}: no number`);
  return value;
}

export function parseOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1.5' },
      rounds: { type: 'string' },
      balancer: { type: 'string', default: 'plain' },
      topology: { type: 'string', default: 'one' },
      durability: { type: 'string', default: 'memory' },
      'lease-ttl': { type: 'string', default: '3' },
      'resume-window': { type: 'string', default: '86400' },
      'max-connection-age': { type: 'string' },
      quorum: { type: 'string' },
      seed: { type: 'string', default: String(Math.floor(Date.now() % 1_000_000)) },
      nodes: { type: 'string', default: '3' },
      sessions: { type: 'string', default: '40' },
      faults: { type: 'string' },
      keep: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const quorum = values.quorum === undefined ? 0 : positive('quorum', values.quorum);
  const all = faultNames.filter((name) => name !== 'member' || quorum > 0);
  const names = values.faults?.split(',') ?? all;
  const [first, ...rest] = names.filter(isFault);
  const unknown = names.filter((name) => !isFault(name));
  if (!first || unknown.length > 0) throw new Error(`--faults: unknown ${unknown.join(', ')}`);
  if (names.includes('member') && quorum === 0)
    throw new Error('--faults member: needs --quorum 3');
  const nodes = Math.floor(positive('nodes', values.nodes));
  const balancer = balancers.find((name) => name === values.balancer);
  if (!balancer) throw new Error(`--balancer ${values.balancer}: plain or haproxy`);
  if (balancer === 'haproxy' && nodes !== HAPROXY_NODES) {
    throw new Error(`--nodes ${nodes}: the configuration of HAProxy has ${HAPROXY_NODES}`);
  }
  const topology = topologies.find((name) => name === values.topology);
  const durability = durabilities.find((name) => name === values.durability);
  if (!topology) throw new Error(`--topology ${values.topology}: one or sentinel`);
  if (!durability) throw new Error(`--durability ${values.durability}: ${durabilities.join(', ')}`);
  return {
    ...{ balancer, topology, durability },
    rounds: values.rounds === undefined ? undefined : positive('rounds', values.rounds),
    leaseTtlMs: positive('lease-ttl', values['lease-ttl']) * 1_000,
    resumeWindow: `${positive('resume-window', values['resume-window'])}s`,
    maxConnectionAgeMs:
      values['max-connection-age'] === undefined
        ? 0
        : positive('max-connection-age', values['max-connection-age']) * 1_000,
    quorum,
    seconds: positive('minutes', values.minutes) * 60,
    seed: positive('seed', values.seed),
    nodes,
    sessions: Math.floor(positive('sessions', values.sessions)),
    faults: [first, ...rest],
    keep: values.keep,
    verbose: values.verbose,
  };
}
