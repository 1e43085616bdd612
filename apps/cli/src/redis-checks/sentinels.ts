/** The sentinels that name the primary: whether they can agree on another one when it is lost. */
import type { SentinelReport } from '@sluice/store';
import { fail, ok, type Verdict, warn } from './check.js';

const LEAST = 3;

type Answered = Extract<SentinelReport, { readonly fault?: undefined }>;

export function judgeSentinels(reports: readonly SentinelReport[]): Verdict[] {
  const answered = reports.filter((report): report is Answered => report.fault === undefined);
  const silent = reports.flatMap(({ node, fault }) =>
    fault === undefined
      ? []
      : [
          warn(
            `sentinel ${node}: ${fault}`,
            'start it, correct its user and password, or take it out of redis.sentinel.nodes',
          ),
        ],
  );
  const count = `${answered.length} of ${reports.length} sentinels answer`;
  const isMajority = 2 * answered.length > reports.length;
  return [
    isMajority
      ? ok(count)
      : fail(`${count}: they cannot agree on another primary`, 'start the others'),
    ...silent,
    ...ofNumber(reports, answered),
    ...ofAnswers(answered),
  ];
}

function ofNumber(reports: readonly SentinelReport[], answered: readonly Answered[]): Verdict[] {
  const known = Math.max(reports.length, ...answered.map(({ others }) => (others ?? 0) + 1));
  if (known < LEAST) {
    const what = `${known} sentinels: when one is lost, the rest has no majority`;
    return [warn(what, 'run three or five on machines of their own, and name all of them')];
  }
  if (known === reports.length) return [];
  const what = `redis.sentinel.nodes has ${reports.length} of ${known} sentinels`;
  return [warn(what, 'name all of them: only those are asked')];
}

function ofAnswers(answered: readonly Answered[]): Verdict[] {
  const named = new Set(answered.flatMap(({ primary }) => primary ?? []));
  const noQuorum = answered.find((report) => report.noQuorum !== undefined)?.noQuorum;
  const replicas = answered.find((report) => report.replicas !== undefined)?.replicas;
  return [
    ...(named.size > 1
      ? [
          fail(
            `sentinels name different primaries: ${[...named].join(', ')}`,
            'wait for a failover to end; else look for a network that is cut in two',
          ),
        ]
      : []),
    ...(noQuorum === undefined
      ? []
      : [
          fail(
            `${noQuorum}: no failover is begun`,
            'start the other sentinels, or lower the quorum in `sentinel monitor`',
          ),
        ]),
    ...(replicas === 0
      ? [fail('the primary has no replica: a failover has nobody to promote', 'connect one')]
      : []),
  ];
}
