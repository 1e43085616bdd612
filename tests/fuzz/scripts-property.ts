import { startRedis, stopLater } from '@sluice/testkit';
import fc from 'fast-check';
import { makeKeys } from '../../packages/store/dist/keys/keys.js';
import { connect } from '../../packages/store/dist/redis/connect.js';
import { limitArgs } from '../../packages/store/dist/script/limits.js';
import { limits } from '../support/scripts/scripts-world.js';
import { BothSessions } from './both-sessions.js';
import type { RealOptions, Scripts } from './real-session.js';
import { HEARING_NODE } from './session-model.js';
import type { Step } from './steps.js';

const PARTITIONS = 4;
const STEPS_MAX = 40;
/** `max_inbox`: one that is soon full, and one with room for more than a batch. */
const INBOXES = [6, 40];

const twice = fc.boolean();
const node = fc.nat(1);
const which = fc.nat(20);
const step = <T extends object>(weight: number, shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => ({
  weight,
  arbitrary: fc.record({ ...shape, twice }),
});
const kind = <K extends Step['kind']>(...kinds: K[]) => fc.constantFrom(...kinds);

const steps = fc.oneof(
  step(6, {
    kind: kind('append'),
    mode: fc.constantFrom('enqueue', 'collect', 'collect', 'interrupt', 'reject'),
  }),
  step(4, { kind: kind('again', 'cancel', 'cancel', 'stop'), which }),
  step(8, { kind: kind('take', 'take', 'peek', 'begin', 'hear'), node }),
  step(6, { kind: kind('rebegin', 'delta', 'renew'), node }),
  step(3, {
    kind: kind('retry'),
    node,
    how: fc.constantFrom('failed', 'cut', 'cut'),
    isLate: fc.constantFrom(false, false, true),
  }),
  step(6, { kind: kind('commit'), node, fetch: fc.boolean() }),
  step(3, {
    kind: kind('release'),
    node,
    how: fc.constantFrom('yield', 'yield', 'hand_over', 'force', 'force'),
  }),
  step(1, { kind: kind('renew_many', 'release_many') }),
  step(3, { kind: kind('expire', 'ripen', 'abort', 'abort', 'attach') }),
  step(3, { kind: kind('sweep', 'draw', 'touch', 'late_append', 'late_append', 'late_end') }),
  step(2, { kind: kind('end', 'attach', 'attach', 'burst') }),
  step(3, { kind: kind('pause'), on: fc.boolean() }),
  step(1, { kind: kind('copy'), old: fc.boolean() }),
  step(1, { kind: kind('late_pause', 'late_abort', 'late_abort') }),
) as fc.Arbitrary<Step>;

/** Steps that only in this order reach a state in which just one check can refuse. */
const together = fc.oneof(
  // A node peeks after the end of a lease; then its late holder lets the head wait.
  fc.nat(1).map((late): Step[] => [
    { kind: 'append', mode: 'enqueue', twice: false },
    { kind: 'take', node: late, twice: false },
    { kind: 'expire', twice: false },
    { kind: 'peek', node: 1 - late, twice: false },
    { kind: 'retry', node: late, how: 'failed', isLate: false, twice: false },
    { kind: 'begin', node: 1 - late, twice: false },
  ]),
  // A pause is sent again after its session was ended and another one began under that id.
  fc.boolean().map((on): Step[] => [
    { kind: 'pause', on, twice: false },
    { kind: 'end', twice: false },
    { kind: 'attach', twice: false },
    { kind: 'late_pause', twice: false },
    { kind: 'attach', twice: false },
  ]),
  // A peek is overtaken by a whole lease of the other node.
  fc.nat(1).map((late): Step[] => [
    { kind: 'peek', node: late, twice: false },
    { kind: 'take', node: 1 - late, twice: false },
    { kind: 'expire', twice: false },
    { kind: 'begin', node: late, twice: false },
  ]),
  // The sweep comes while the head waits for another attempt.
  node.map((by): Step[] => [
    { kind: 'take', node: by, twice: false },
    { kind: 'retry', node: by, how: 'failed', isLate: false, twice: false },
    { kind: 'sweep', twice: false },
  ]),
  // A holder gives up a turn of which it has streamed a part.
  node.map((by): Step[] => [
    { kind: 'append', mode: 'enqueue', twice: false },
    { kind: 'take', node: by, twice: false },
    { kind: 'delta', node: by, twice: false },
    { kind: 'release', node: by, how: 'yield', twice: false },
  ]),
  // A message that came during a pause is cancelled, while a holder lingers that was not woken for it.
  fc.constant<Step[]>([
    { kind: 'pause', on: false, twice: false },
    { kind: 'append', mode: 'enqueue', twice: false },
    { kind: 'take', node: 0, twice: false },
    ...Array.from(
      { length: 4 },
      () => ({ kind: 'commit', node: 0, fetch: true, twice: false }) as const,
    ),
    { kind: 'pause', on: true, twice: false },
    { kind: 'append', mode: 'enqueue', twice: false },
    { kind: 'cancel', which: -1, twice: false },
  ]),
  // One node after the other dies of the head.
  node.map((by): Step[] =>
    Array.from({ length: 6 }, (): Step[] => [
      { kind: 'take', node: by, twice: false },
      { kind: 'expire', twice: false },
    ]).flat(),
  ),
);

const sequences = (maxLength: number) =>
  fc
    .array(
      fc.oneof(
        { weight: 40, arbitrary: steps.map((one) => [one]) },
        { weight: 2, arbitrary: together },
      ),
      { minLength: 10, maxLength },
    )
    .map((parts) => parts.flat());

/** A Redis for the sessions of a run; one node hears what is published to it. */
export async function openFuzz(): Promise<Omit<RealOptions, 'scripts'>> {
  const redis = await startRedis({ args: ['--appendonly', 'no', '--save', ''] });
  const keys = makeKeys('fuzz', PARTITIONS);
  const connection = connect(
    { url: redis.url },
    {
      ...{ onError: () => {}, onReady: () => {} },
      limits: limitArgs(limits),
    },
  );
  stopLater(() => connection.close());
  const listener = redis.client();
  const channels = Array.from(
    { length: PARTITIONS },
    (_, partition) => keys.nodeChannelPrefix(partition) + HEARING_NODE,
  );
  await listener.subscribe(...channels);
  while (connection.serverId() === undefined) await new Promise((next) => setTimeout(next, 10));
  return { connection, client: redis.client(), keys };
}

let sessions = 0;

const cases = {
  limits: fc.record({
    maxInbox: fc.constantFrom(...INBOXES),
    maxMessages: fc.constantFrom(3, 10, 100),
    maxEvents: fc.constantFrom(1, 6, 20, 10_000),
    maxLogBytes: fc.constantFrom(300, 1_000, 4_000, 8 * 1_024 * 1_024),
  }),
  sequence: sequences(STEPS_MAX),
};

/**
 * Whatever is done to a session, each script answers and leaves what the model says; and at the end a
 * node finds all that is left, and drains it.
 */
export const modelHolds = (fuzz: Omit<RealOptions, 'scripts'>, scripts: Scripts) =>
  fc.asyncProperty(fc.record(cases), async ({ limits, sequence }) => {
    sessions += 1;
    const both = new BothSessions({ ...fuzz, scripts }, { id: `alice.s${sessions}`, ...limits });
    await both.run({ kind: 'attach', twice: false });
    for (const next of sequence) await both.run(next);
    if (both.waiting === 0) return;
    await both.resume();
    await both.run({ kind: 'expire', twice: false });
    await both.run({ kind: 'ripen', twice: false });
    await both.run({ kind: 'take', node: 0, twice: false });
    for (let n = both.waiting; n > 0; n--) {
      await both.run({ kind: 'commit', node: 0, fetch: true, twice: false });
    }
    if (both.waiting > 0) throw new Error(`S2: ${both.waiting} messages are left`);
  });
