import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame, FrameClient, GatewayProcess } from '@sluice/testkit';
import { Random } from '../../chaos/random.js';
import type { Cluster } from './cluster.js';

/** Stops come within so many ms of the message that they are meant for. */
const MOMENT_MS = 20;

export type StopRound = {
  /** Which message the stop was meant for, and what the gateway said of it. */
  readonly meant: string;
  readonly answer: Frame;
  /** Outcomes of the messages of the round, by id. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** Of the message that it was meant for; 0: its turn had not begun. */
  readonly attempt: number;
};

export const isStopAnswer = ({ type }: Frame) => type === 'aborted' || type === 'no_active_turn';

const outcomeOf = (frame: Frame) => String(Object(frame.outcome).status);

/**
 * Messages of one session, each pair with a stop at a random moment: by name for one of the two, or without
 * a name when only one waits; from the connection that sent them, or through another node.
 */
export async function stopInSession(
  cluster: Cluster,
  nodes: readonly GatewayProcess[],
  { session_id, rounds, seed }: { session_id: string; rounds: number; seed: number },
): Promise<StopRound[]> {
  const random = new Random(seed);
  const [here, there] = await Promise.all(
    nodes.map((node) => cluster.attach(node, { session_id })),
  );
  if (!here || !there) throw new Error('two nodes are needed');
  const done: StopRound[] = [];
  for (let n = 0; n < rounds; n += 1) done.push(await oneRound({ here, there, random, n }));
  await Promise.all([here.close(), there.close()]);
  return done;
}

type Round = {
  readonly here: FrameClient;
  readonly there: FrameClient;
  readonly random: Random;
  readonly n: number;
};

async function oneRound({ here, there, random, n }: Round): Promise<StopRound> {
  const isNamed = random.isLucky(0.5);
  const ids: [string, ...string[]] = isNamed ? [`a${n}`, `b${n}`] : [`a${n}`];
  for (const message_id of ids) here.message('quick', { message_id });
  const meant = random.pick(ids);
  const abort_id = `stop${n}`;
  const stop = { type: 'abort', abort_id, ...(isNamed ? { message_id: meant } : {}) };
  await sleep(random.between(0, MOMENT_MS));
  const by = isNamed && random.isLucky(0.5) ? there : here;
  by.send(stop);
  const answer = await by.waitFor((frame) => isStopAnswer(frame) && frame.abort_id === abort_id);
  // Sent again through the other node, behind a message that it must not touch.
  const later = `c${n}`;
  here.message('quick', { message_id: later });
  await here.waitFor({ status: 'accepted', message_id: later });
  const again = by === here ? there : here;
  again.send(stop);
  const repeat = await again.waitFor((frame) => isStopAnswer(frame) && frame.abort_id === abort_id);
  if (JSON.stringify(repeat) !== JSON.stringify(answer)) {
    throw new Error(`answered ${JSON.stringify(repeat)} after ${JSON.stringify(answer)}`);
  }
  const outcomes: Record<string, string> = {};
  for (const id of [...ids, later]) outcomes[id] = outcomeOf(await here.final(id));
  const { attempt } = await here.final(meant);
  return { meant, answer, outcomes, attempt: Number(attempt) };
}

/** What is wrong with a round; '' when the stop did what its answer says, and nothing else. */
export function wrongWith({ meant, answer, outcomes }: StopRound): string {
  const isStopped = answer.type === 'aborted';
  const named = isStopped ? answer.message_id : (answer.message_id ?? meant);
  const due = Object.keys(outcomes).map((id) => [id, isStopped && id === meant ? 'aborted' : 'ok']);
  const isRight = named === meant && due.every(([id = '', outcome]) => outcomes[id] === outcome);
  return isRight ? '' : JSON.stringify({ meant, answer, outcomes });
}
