import type { GatewayProcess } from '@sluice/testkit';
import type { Plan } from './plans.js';
import type { Stage } from './stage.js';

type Verb = 'pause' | 'resume';
type Of = (stage: Stage) => string;

const ofSession: Of = ({ session }) => `sessions/${session}`;
const ofAgent: Of = () => 'agents/slow';
const turn = async (stage: Stage, { url }: GatewayProcess, what: `${Verb} ${string}`) => {
  const [verb, path] = what.split(' ');
  await fetch(`${url}/v1/${path}/${verb}`, { method: 'POST' });
  return stage;
};

/** The node dies while it pauses: another node does it, and messages that are sent then wait. */
const pausing = (of: Of): Omit<Plan, 'calls'> => ({
  act: async (stage) => {
    stage.say('m1');
    await stage.settled();
    await turn(stage, stage.armed, `pause ${of(stage)}`);
  },
  repeat: async (stage) => {
    await turn(stage, stage.lane.healthy, `pause ${of(stage)}`);
    stage.say('m2', 'm3');
    await stage.waiting(2);
    await turn(stage, stage.lane.healthy, `resume ${of(stage)}`);
  },
});

/** The node dies while it resumes a session or an agent with waiting messages. */
const resuming = (of: Of): Omit<Plan, 'calls'> => ({
  act: async (stage) => {
    stage.say('m1');
    await stage.settled();
    await turn(stage, stage.armed, `pause ${of(stage)}`);
    stage.say('m2', 'm3');
    await stage.waiting(2);
    await turn(stage, stage.armed, `resume ${of(stage)}`);
  },
  repeat: (stage) => turn(stage, stage.lane.healthy, `resume ${of(stage)}`),
});

/** Plans for the calls with which operators pause sessions and agents. */
export const pausePlans: Readonly<Record<string, Plan>> = {
  'the pause of a session': { calls: ['session-pause'], ...pausing(ofSession) },
  'a session that goes on': { calls: ['session-pause:2'], ...resuming(ofSession) },
  'the pause of an agent': { calls: ['agent-pause', 'pause-copy'], ...pausing(ofAgent) },
  'an agent that goes on': { calls: ['agent-pause:2'], ...resuming(ofAgent) },
};
