import { eventually, type GatewayProcess, startTcpProxy } from '@sluice/testkit';
import { deadly, flaky, type Settings } from './lane.js';
import { limitPlans } from './plans-limits.js';
import { pausePlans } from './plans-pause.js';
import type { Stage } from './stage.js';

export type Side = 'before' | 'after';

/** Leads a node to some calls, at one of which it dies: only the steps before must succeed. */
export type Plan = {
  /** The calls, as `SLUICE_FAILPOINT` counts them: `<call>` or `<call>:<n>`. */
  readonly calls: readonly string[];
  readonly settings?: Settings;
  /** Turns wait until the node is dead and `repeat` is done. */
  readonly holds?: boolean;
  /** The client is at an edge of its own from the start. */
  readonly viaEdge?: boolean;
  /** Runs before the node with the failpoint is started; returns more settings for that node. */
  prepare?(stage: Stage): Promise<Settings | undefined>;
  act(stage: Stage): Promise<unknown>;
  /** Repeats what the client got no answer to. */
  repeat?(stage: Stage): Promise<unknown>;
  /** Outcomes by message, where they depend on the side of the call at which the node died; default `ok`. */
  outcomes?(side: Side): Readonly<Record<string, string>>;
  /** The plan ends the session, which leaves a tombstone. */
  readonly ends?: boolean;
};

const three = ['m1', 'm2', 'm3'] as const;
const sayThree = async (stage: Stage) => stage.say(...three);
const holdThree = async (stage: Stage) => {
  stage.say(...three);
  await stage.running(3);
};
const talked = async (stage: Stage) => {
  stage.say(...three);
  await stage.settled();
};
const endSession = async (stage: Stage, url: string) => {
  await fetch(`${url}/v1/sessions/${stage.session}`, { method: 'DELETE' });
};
const patchTitle = async (stage: Stage, { url }: GatewayProcess) => {
  const body = JSON.stringify({ metadata: { title: 'new' } });
  await fetch(`${url}/v1/sessions/${stage.session}`, { method: 'PATCH', body });
};
const letDie = async (stage: Stage) => {
  stage.say(deadly, 'm2');
  await stage.settled();
};
const askLetter = async (stage: Stage, { url }: GatewayProcess, method: string, act = '') => {
  const letter = encodeURIComponent(`${stage.id}~${deadly}`);
  await fetch(`${url}/v1/dead-letters/${letter}${act}`, { method });
};

/** All plans; together they meet every call. */
export const plans: Readonly<Record<string, Plan>> = {
  ...limitPlans,
  ...pausePlans,
  'a message': {
    calls: [
      ...['session-attach', 'channel-subscribe:2', 'inbox-append', 'ring-add'],
      ...['lease-acquire', 'turn-begin', 'history-read', 'events-append', 'turn-commit'],
      ...['ring-done', 'leases-release'],
    ],
    act: sayThree,
  },
  'a wake': {
    calls: ['inbox-append:2', 'turn-commit:2'], // the append begins the turn
    settings: { lease: { linger: '5s' } },
    act: async (stage) => {
      stage.say('m1');
      await stage.settled();
      stage.say('m2', 'm3');
    },
  },
  'an idle lease': {
    calls: ['leases-renew', 'leases-renew:2'],
    settings: { lease: { linger: '5s' } },
    act: sayThree,
  },
  'its turn for others': {
    calls: ['turn-release'],
    settings: { worker: { concurrency: 1, max_turns_per_lease: 1 } },
    act: sayThree,
  },
  'a retry of a dead letter': {
    calls: ['letter-retry'],
    act: async (stage) => {
      await letDie(stage);
      await askLetter(stage, stage.armed, 'POST', '/retry');
    },
    repeat: async (stage) => {
      await askLetter(stage, stage.lane.healthy, 'POST', '/retry');
      stage.note(`${deadly}.retry.1`);
      await stage.waiting(0);
    },
    outcomes: () => ({ [deadly]: 'dead_lettered', [`${deadly}.retry.1`]: 'ok' }),
  },
  'the end of a dead letter': {
    calls: ['letter-drop'],
    act: async (stage) => {
      await letDie(stage);
      await askLetter(stage, stage.armed, 'DELETE');
    },
    repeat: (stage) => askLetter(stage, stage.lane.healthy, 'DELETE'),
    outcomes: () => ({ [deadly]: 'dead_lettered' }),
  },
  'another attempt': {
    calls: ['turn-retry', 'ring-add:2', 'session-peek', 'turn-begin:2'],
    act: async (stage) => stage.say(flaky, 'm2'),
  },
  'a long turn': {
    calls: ['lease-extend', 'lease-renew', 'node-beat:2'],
    holds: true,
    act: holdThree,
  },
  'an abort': {
    calls: ['turn-abort'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      (await stage.attach(stage.armed)).send({ type: 'abort' });
    },
    outcomes: (side) => ({ m1: side === 'after' ? 'aborted' : 'ok' }),
  },
  'an abort of what waits': {
    calls: ['turn-abort'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      const stop = { type: 'abort', message_id: 'm2', abort_id: 'a1' };
      (await stage.attach(stage.armed)).send(stop);
    },
    repeat: async (stage) => {
      const stop = { type: 'abort', message_id: 'm2', abort_id: 'a1' };
      (await stage.attach(stage.lane.healthy)).send(stop);
    },
    outcomes: () => ({ m2: 'aborted' }),
  },
  'a cancellation': {
    calls: ['message-cancel'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      (await stage.attach(stage.armed)).send({ type: 'cancel', message_id: 'm2' });
    },
    outcomes: (side) => ({ m2: side === 'after' ? 'cancelled' : 'ok' }),
  },
  'reading the log': {
    calls: ['log-read'],
    act: async (stage) => {
      await talked(stage);
      const { body } = await fetch(`${stage.armed.url}/v1/sessions/${stage.session}/events`);
      for await (const _ of body ?? []);
    },
  },
  'a snapshot': {
    calls: ['session-read'],
    act: async (stage) => {
      await talked(stage);
      (await stage.attach(stage.armed, { since: 0 })).send({ type: 'snapshot' });
    },
  },
  metrics: {
    calls: ['pending-measure', 'cluster-read'],
    act: async (stage) => {
      await talked(stage);
      await fetch(`${stage.armed.url}/metrics`);
    },
  },
  'a listing': {
    calls: ['session-describe'],
    act: async (stage) => {
      await talked(stage);
      await fetch(`${stage.armed.url}/v1/sessions`);
    },
  },
  'a new title': {
    calls: ['metadata-replace'],
    act: async (stage) => {
      await talked(stage);
      await patchTitle(stage, stage.armed);
    },
    repeat: (stage) => patchTitle(stage, stage.lane.healthy),
  },
  'a client without a cursor': {
    calls: ['resume-mark'],
    act: async (stage) => {
      const client = await stage.attach(stage.armed);
      await talked(stage);
      await client.close();
    },
  },
  'a client that stays': {
    calls: ['session-touch'],
    settings: { session: { resume_window: '6s' } },
    act: talked,
  },
  'a message of a principal that is measured': {
    calls: ['bytes-measure'],
    settings: { session: { max_bytes_per_principal: '64KiB' } },
    act: sayThree,
  },
  'a durable message': {
    calls: ['durability-wait'],
    settings: { redis: { durability: 'replica' } },
    act: sayThree,
  },
  'the end of a session': {
    calls: ['session-end', 'ends-copied'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      await stage.lane.bringBack();
      await stage.leave();
      stage.useNode(stage.lane.healthy);
      stage.watch();
      await stage.settled();
      await endSession(stage, stage.armed.url);
    },
    repeat: (stage) => endSession(stage, stage.lane.healthy.url),
    outcomes: () => ({ m1: 'aborted', m2: 'cancelled', m3: 'cancelled' }),
    ends: true,
  },
  'a drain with others alive': {
    calls: ['node-drain', 'turn-release', 'ring-add:2', 'node-leave'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      await stage.lane.bringBack();
      stage.armed.signal('SIGTERM');
      await stage.armed.waitForLog(({ msg }) => msg === 'draining');
      stage.lane.release();
    },
  },
  'a drain that an operator asks for': {
    calls: ['drain-ask'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      await stage.lane.bringBack();
      const { url, nodeId } = stage.armed;
      await fetch(`${url}/v1/nodes/${nodeId}/drain`, { method: 'POST' });
    },
  },
  'a drain alone': {
    calls: ['turn-commit:2'],
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      stage.armed.signal('SIGTERM');
      await stage.armed.waitForLog(({ msg }) => msg === 'draining');
      stage.lane.release();
    },
  },
  'a forced close': {
    calls: ['turn-release', 'session-end-copy'],
    settings: { gateway: { drain_timeout: '300ms' } },
    holds: true,
    act: async (stage) => {
      await holdThree(stage);
      stage.armed.signal('SIGTERM');
    },
  },
  'a ring for another node': {
    calls: ['ring-draw', 'ring-add'],
    settings: { agents: { other: { kind: 'echo' } }, gateway: { roles: ['worker'] } },
    viaEdge: true,
    act: sayThree,
  },
  'a ring that was lost': {
    calls: ['pending-sweep'],
    viaEdge: true,
    prepare: async (stage) => {
      const { client, keys } = stage.lane;
      stage.say(...three);
      await stage.waiting(3);
      const ringKeys = () => client.keys(`${keys.ringPrefix}:*`);
      await eventually(async () => (await ringKeys()).some((key) => key.includes(':r-')));
      await client.del(await ringKeys());
      await eventually(async () => {
        const [seconds = 0] = await client.time();
        return Number(await client.zscore(stage.keys.pending, stage.id)) < Number(seconds) * 1_000;
      });
      return undefined;
    },
    act: async () => {},
  },
  'a message gone before its turn': {
    calls: ['lease-release'],
    viaEdge: true,
    prepare: async (stage) => {
      const proxy = await startTcpProxy(stage.lane.redis.port);
      proxy.latency(100);
      return { redis: { url: proxy.url }, gateway: { roles: ['worker'] } };
    },
    act: async (stage) => {
      const client = await stage.attach(await stage.lane.edge());
      for (let i = 1; !stage.isDead; i += 1) {
        // Cancels between the replies to `acquire` and `begin`, which are delayed.
        const message_id = client.message('hello', { message_id: `x${i}` });
        stage.note(message_id);
        const isTaken = async () => (await stage.lane.client.exists(stage.keys.lease)) === 1;
        await eventually(isTaken, 5_000, 2);
        client.send({ type: 'cancel', message_id });
        await client.final(message_id);
        await eventually(async () => !(await isTaken()), 5_000);
      }
    },
  },
};
