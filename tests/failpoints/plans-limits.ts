import type { Plan } from './plans.js';
import type { Stage } from './stage.js';

const three = ['m1', 'm2', 'm3'] as const;

const limited = {
  // A portion is one token, so each message draws one.
  gateway: { rate_limit: { messages_per_second: 1_000, burst: 10 } },
  worker: { max_turns_per_principal: 100 },
};
/** More than the sessions of a lane. */
const sessionsMax = 200;

const sayThree = async (stage: Stage) => stage.say(...three);

/** Plans for the calls that limit principals. */
export const limitPlans: Readonly<Record<string, Plan>> = {
  'a message within limits': {
    calls: ['rate-draw', 'permit-take', 'permit-give'],
    settings: limited,
    act: sayThree,
  },
  'a long turn within limits': {
    calls: ['permit-keep'],
    settings: limited,
    holds: true,
    act: async (stage) => {
      await sayThree(stage);
      await stage.running(three.length);
    },
  },
  'a session where many have expired': {
    calls: ['sessions-count'],
    settings: { session: { max_sessions_per_principal: sessionsMax } },
    act: async (stage) => {
      const gone = Array.from(
        { length: sessionsMax },
        (_, i) => `${stage.id.slice(0, 13)}gone-${i}`,
      );
      const listed = gone.flatMap((id) => [Date.now(), id]);
      for (const key of [stage.keys.owned, stage.keys.sessions]) {
        await stage.lane.client.zadd(key, ...listed);
      }
      await sayThree(stage);
    },
  },
};
