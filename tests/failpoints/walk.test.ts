import { beforeAll, describe, expect, it } from '@jest/globals';
import { failpointCalls } from '@sluice/store';
import { eventually, startRedis } from '@sluice/testkit';
import { plans } from './plans.js';
import { nameOf, type Step, steps, type Walked, walkLane } from './walk.js';

/** Enough to keep two cores busy, since most lanes wait for a lease to expire. */
const LANES = 6;

/** Steps that need an extra edge node share a lane, so that it is started once. */
function lanesOf(all: readonly Step[]): Step[][] {
  const needsEdge = (step: Step) => plans[step.way]?.viaEdge === true;
  const others = all.filter((step) => !needsEdge(step));
  const lanes = Array.from({ length: LANES - 1 }, (_, lane) =>
    others.filter((_, at) => at % (LANES - 1) === lane),
  );
  return [all.filter(needsEdge), ...lanes];
}

/** `npm test` has time only for the end of a turn and of a session. */
const sample = /^(turn-commit|session-end)\b/;
/** `all`, or a part of the names of the failpoints to walk (docs/internals/failpoints.md). */
const only = process.env.SLUICE_WALK;
const chosen = steps.filter((step) => {
  if (only === 'all') return true;
  return only ? nameOf(step).includes(only) : sample.test(nameOf(step));
});

describe('a node that dies at a failpoint', () => {
  const walked: Walked = new Map();
  const left: string[] = [];
  beforeAll(async () => {
    const quick = ['--repl-diskless-sync-delay', '0', '--appendfsync', 'everysec'];
    const redis = await startRedis({ args: quick });
    const of = ['--replicaof', '127.0.0.1', String(redis.port), '--appendonly', 'no'];
    await startRedis({ args: of });
    await eventually(async () => /state=online/.test(await redis.client().info('replication')));
    const lanes = lanesOf(chosen).filter((lane) => lane.length > 0);
    const all = await Promise.all(lanes.map((lane, at) => walkLane(redis, `w${at}`, lane)));
    for (const one of all) {
      for (const [name, findings] of one.walked) walked.set(name, findings);
      left.push(...one.left);
    }
  }, 480_000);

  it('C2 meets every call, on both of its sides', () => {
    const met = new Set(steps.map(({ call, side }) => `${call}.${side}`));
    const due = failpointCalls.flatMap((call) => [`${call}.before`, `${call}.after`]);
    expect(due.filter((failpoint) => !met.has(failpoint))).toEqual([]);
    expect([...met].filter((failpoint) => !due.includes(failpoint))).toEqual([]);
  });

  it.each(chosen.map(nameOf))('C2 S2 T1 E1 loses nothing at %s', (name) => {
    expect(walked.get(name)).toEqual([]);
  });

  it('C2 C4 D4 leaves no key behind that docs/operate/operations.md does not name', () => {
    expect(left).toEqual([]);
  });
});
