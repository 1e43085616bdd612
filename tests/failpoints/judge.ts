import { checkHistory, type EventFrame, eventually } from '@sluice/testkit';
import { audit } from '../chaos/audit.js';
import type { Plan, Side } from './plans.js';
import type { Stage } from './stage.js';

/** The sweep copies records that a dead node has left when they are 5 s old. */
const copiedMs = 12_000;

/** The faults of a failpoint's session at the end; must be none. */
export async function judge(stage: Stage, plan: Plan, side: Side): Promise<string[]> {
  const { recording, session, lane } = stage;
  if (!plan.ends) await audit([session], lane.healthy.wsUrl, recording);
  const { sent, acknowledged, views } = recording;
  const turns = lane.agent.turns
    .filter(({ turn }) => turn.session_id === session)
    .map(({ turn, startedAt, endedAt, closedByPeer }) => ({
      session,
      messageId: turn.message_id,
      turnId: turn.turn_id,
      attempt: turn.attempt,
      fence: turn.fence,
      node: '',
      startMs: startedAt.monotonicMs,
      endMs: endedAt?.monotonicMs ?? null,
      closedByPeer,
    }));
  const none = { cuttings: [], faults: [], ends: [], forcedCloses: [], handOvers: [] };
  const seen = { sent, acknowledged, views, turns, leaseTtlMs: 1_000, ...none };
  const { findings } = checkHistory(seen);
  return [
    ...findings.map(({ kind, detail }) => `${kind}: ${detail}`),
    ...recording.oddities,
    ...checkOutcomes(stage, plan.outcomes?.(side) ?? {}),
    ...(await checkEnds(stage)),
    ...(await checkLeft(stage)),
  ];
}

/** Every event that any client saw, each once. */
function eventsOf({ recording }: Stage): EventFrame[] {
  const frames = recording.views.flatMap((view) => view.frames);
  const events = frames.flatMap((frame) => (frame.kind === 'event' ? [frame] : []));
  return [...new Map(events.map((event) => [event.seq, event])).values()];
}

function checkOutcomes(stage: Stage, expected: Readonly<Record<string, string>>): string[] {
  const finals = eventsOf(stage).filter(({ status }) => status === 'final');
  const found = new Map(finals.map(({ messageId = '', outcome }) => [messageId, outcome]));
  const absent = Object.keys(expected).filter((id) => !found.has(id));
  return [
    ...absent.map((id) => `${id} has no outcome`),
    ...[...found].flatMap(([id, outcome]) => {
      if (id.startsWith('x')) return []; // cancelled by its client, perhaps after it began
      const due = expected[id] ?? 'ok';
      return outcome === due ? [] : [`${id} ended as ${outcome}, not ${due}`];
    }),
  ];
}

/** The stream has each SESSION_END of the log, once after de-duplication, and no other. */
async function checkEnds(stage: Stage): Promise<string[]> {
  const { client, prefix } = stage.lane;
  const logged = eventsOf(stage).filter(({ type }) => type === 'session_end');
  const due = logged.map(({ seq }) => seq).sort((a, b) => a - b);
  const read = async () => {
    const entries = await client.xrange(`${prefix}:session-end`, '-', '+');
    const ids = entries.map(([, fields]) => fields[fields.indexOf('event_id') + 1] ?? '');
    const mine = [...new Set(ids)].filter((id) => id.startsWith(`${stage.id}:`));
    return mine.map((id) => Number(id.split(':').at(-1))).sort((a, b) => a - b);
  };
  const isCopied = async () => (await read()).join() === due.join();
  await eventually(isCopied, copiedMs).catch(() => undefined);
  const found = await read();
  return found.join() === due.join() ? [] : [`SESSION_END at ${due} in the log, copied: ${found}`];
}

async function checkLeft({ lane: { client }, keys, id }: Stage): Promise<string[]> {
  const read = async () => {
    const inbox = await client.llen(keys.inbox);
    const isPending = (await client.zscore(keys.pending, id)) !== null;
    const ends = (await client.lrange(keys.ends, 0, -1)).filter((it) => it.includes(id));
    return [
      ...(inbox > 0 ? [`${inbox} messages are left in the inbox`] : []),
      ...(isPending ? ['it is left in the index of sessions with work'] : []),
      ...(ends.length > 0 ? [`${ends.length} SESSION_END are left to be copied`] : []),
    ];
  };
  await eventually(async () => (await read()).length === 0, copiedMs).catch(() => undefined);
  return read();
}
