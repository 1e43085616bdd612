import { within } from '@sluice/runtime';
import type { GatewayProcess, TestRedis } from '@sluice/testkit';
import { leftoverKeys } from '../chaos/leftover.js';
import { judge } from './judge.js';
import { deadly, Lane } from './lane.js';
import { type Plan, plans, type Side } from './plans.js';
import { Stage } from './stage.js';

const reachMs = 15_000;
const settleMs = 30_000;

/** One failpoint, and the plan with which a node meets it. */
export type Step = {
  readonly way: string;
  /** `<call>.<side>[:<n>]` */
  readonly failpoint: string;
  readonly call: string;
  readonly side: Side;
};

export const steps: readonly Step[] = Object.entries(plans).flatMap(([way, { calls }]) =>
  calls.flatMap((counted) =>
    (['before', 'after'] as const).map((side) => {
      const [call = '', count] = counted.split(':');
      return { way, failpoint: `${call}.${side}${count ? `:${count}` : ''}`, call, side };
    }),
  ),
);

export const nameOf = ({ way, failpoint }: Step) => `${failpoint}, on the way of ${way}`;

/** The findings of each step, by its name. */
export type Walked = Map<string, string[]>;

/** Walks the steps of a lane one after the other, and then checks what is left in Redis. */
export async function walkLane(
  redis: TestRedis,
  prefix: string,
  steps: readonly Step[],
): Promise<{ walked: Walked; left: string[] }> {
  const lane = await Lane.open(redis, prefix);
  try {
    const walked: Walked = new Map();
    for (const [at, step] of steps.entries()) {
      const stage = new Stage(lane, `s${at}`);
      const findings = await walkStep(stage, step).catch((error: unknown) => [String(error)]);
      walked.set(nameOf(step), findings);
      // Also after a failed step: the next one must begin with no node at work.
      lane.release();
      await stage.leave();
      await lane.withdraw();
    }
    return { walked, left: await leave(lane, steps) };
  } finally {
    await lane.close();
  }
}

async function walkStep(stage: Stage, { way, failpoint, side }: Step): Promise<string[]> {
  const { lane } = stage;
  const plan = plans[way];
  if (!plan) throw new Error(`there is no way of ${way}`);
  if (plan.viaEdge) stage.useNode(await lane.edge());
  if (plan.holds) lane.hold();
  const prepared = await plan.prepare?.(stage);
  const armed = await lane.startArmed(failpoint, { ...plan.settings, ...prepared });
  const acting = armed ? meet(stage, plan, armed) : Promise.resolve([]);
  const unreached = await acting.finally(() => armed?.kill());
  await lane.bringBack();
  if (!plan.viaEdge) stage.useNode(lane.healthy);
  await stage.acted;
  await plan.repeat?.(stage);
  lane.release();
  if (!stage.hasSpoken) stage.say('m1', 'm2', 'm3');
  await stage.settled(settleMs);
  await stage.leave();
  return [...unreached, ...(await judge(stage, plan, side))];
}

/** Leads the node to its failpoint; returns a finding if it did not die there. */
async function meet(stage: Stage, plan: Plan, armed: GatewayProcess): Promise<string[]> {
  stage.arm(armed);
  if (!plan.viaEdge) stage.useNode(armed);
  stage.act(() => plan.act(stage));
  const exit = await within(armed.exited, reachMs);
  if (exit?.signal === 'SIGKILL') return [];
  const why = exit
    ? `the node ended with status ${exit.code}`
    : `the node lived on for ${reachMs} ms`;
  return [`never reached: ${why} (${stage.failure ?? 'all went well'})`];
}

/** Keys that are left when all sessions of the lane have expired, and that are not documented. */
async function leave(lane: Lane, steps: readonly Step[]): Promise<string[]> {
  const { redis, prefix, client } = lane;
  await lane.stop();
  const last = await lane.start({ session: { resume_window: '1s' } });
  const stages = steps.map((step, at) => ({ step, stage: new Stage(lane, `s${at}`) }));
  const isEnded = ({ step }: { step: Step }) => plans[step.way]?.ends === true;
  for (const { stage } of stages.filter((it) => !isEnded(it))) {
    if (await client.exists(stage.keys.state)) {
      await (await stage.attach(last, { since: 0 })).close();
    }
  }
  const ended = stages.filter(isEnded).map(({ stage }) => stage.keys);
  const calls = stages.map(({ stage }) => client.keys(lane.keys.endCall(stage.id, '*')));
  const passing = [
    ...ended.flatMap(({ state, events }) => [state, events]),
    ...stages.map(({ stage }) => lane.keys.letterCall(stage.id, deadly)),
    ...(await Promise.all(calls)).flat(),
  ];
  const isOurs = (key: string) => key.startsWith(`${prefix}:`) || key.startsWith(`{${prefix}-`);
  const isExcused = (key: string) => !isOurs(key) || passing.includes(key);
  const left = await leftoverKeys(redis, prefix, isExcused);
  for (const key of passing) {
    if ((await client.pttl(key)) === -1) left.push(`${key}, which never expires`);
  }
  await last.kill();
  return left;
}
