import type { EventFrame, FindingKind, History, View } from '@sluice/testkit';

/** Puts one fault into a clean history; returns undefined when the history has no place for it. */
export type Spoil = (history: History, pick: number) => History | undefined;

const choose = <T>(from: readonly T[], pick: number): T | undefined => from[pick % from.length];

type Frames = View['frames'];

/** Changes the frames of the views for which `isMeant` is true. */
function withFrames(
  history: History,
  isMeant: (view: View) => boolean,
  change: (frames: Frames) => Frames,
): History {
  const views = history.views.map((view) =>
    isMeant(view) ? { ...view, frames: change(view.frames) } : view,
  );
  return { ...history, views };
}

const eventsOf = (history: History): { view: View; event: EventFrame }[] =>
  history.views
    .filter(({ client }) => client === 'late')
    .flatMap((view) =>
      view.frames.flatMap((event) => (event.kind === 'event' ? [{ view, event }] : [])),
    );

const chooseEvent = (
  history: History,
  pick: number,
  isMeant: (event: EventFrame) => boolean = () => true,
) =>
  choose(
    eventsOf(history).filter(({ event }) => isMeant(event)),
    pick,
  );

/** Changes one event in every view. */
function changeEvent(
  history: History,
  { view, event }: { view: View; event: EventFrame },
  change: Partial<EventFrame>,
): History {
  return withFrames(
    history,
    ({ session }) => session === view.session,
    (frames) =>
      frames.map((frame) =>
        frame.kind === 'event' && frame.seq === event.seq ? { ...frame, ...change } : frame,
      ),
  );
}

const isFinal = ({ status }: EventFrame) => status === 'final';
const isDelta = ({ type }: EventFrame) => type === 'token_stream';

const lost: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick, isFinal);
  return found && changeEvent(history, found, { type: 'tool_call_stream', status: 'none' });
};

const doubled: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick, isFinal);
  if (!found) return undefined;
  return withFrames(
    history,
    ({ session, client }) => session === found.view.session && client === 'late',
    (frames) => [...frames, { ...found.event, seq: frames.length + 1 }],
  );
};

const reordered: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick, isFinal);
  if (!found) return undefined;
  const { session } = found.view;
  const enqueued = new Set(
    history.sent
      .filter((it) => it.session === session && it.mode === 'enqueue')
      .map((it) => it.messageId),
  );
  const finals = eventsOf(history).filter(
    ({ view, event }) =>
      view.session === session && isFinal(event) && enqueued.has(event.messageId ?? ''),
  );
  const [one, other] = finals.slice(pick % Math.max(1, finals.length - 1));
  if (!one || !other) return undefined;
  const swapped = changeEvent(history, one, { messageId: other.event.messageId ?? '' });
  return changeEvent(swapped, other, { messageId: one.event.messageId ?? '' });
};

const unknown: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick, isFinal);
  return found && changeEvent(history, found, { messageId: 'nobody-sent-this' });
};

const gap: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick);
  if (!found || found.event.seq === found.view.frames.length) return undefined;
  return withFrames(
    history,
    (view) => view === found.view,
    (frames) => frames.filter(({ seq }) => seq !== found.event.seq),
  );
};

const repeat: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick);
  if (!found) return undefined;
  return withFrames(
    history,
    (view) => view === found.view,
    (frames) => frames.flatMap((frame) => (frame === found.event ? [frame, frame] : [frame])),
  );
};

const conflict: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick);
  if (!found) return undefined;
  return withFrames(
    history,
    (view) => view === found.view,
    (frames) =>
      frames.map((frame) => (frame === found.event ? { ...found.event, turnId: 'other' } : frame)),
  );
};

const garbled: Spoil = (history, pick) => {
  const found = chooseEvent(history, pick, isDelta);
  // A delta that a retry made void is not part of the reply.
  if (!found || found.event.text === 'part') return undefined;
  return changeEvent(history, found, { text: '?' });
};

const overlap: Spoil = (history, pick) => {
  const turn = choose(history.turns, pick);
  const later = history.turns.find(
    (one) => turn && one.session === turn.session && one.startMs > turn.startMs,
  );
  if (!turn || !later) return undefined;
  const endMs = pick % 2 === 0 ? null : later.startMs + 51;
  const turns = history.turns.map((one) => (one === turn ? { ...one, endMs } : one));
  return { ...history, turns };
};

const endMissing: Spoil = (history, pick) => {
  const end = choose(history.ends, pick);
  const ends = history.ends.filter(({ eventId }) => eventId !== end?.eventId);
  return end && { ...history, ends };
};

const endDoubled: Spoil = (history, pick) => {
  const end = choose(history.ends, pick);
  return end && { ...history, ends: [...history.ends, { ...end, eventId: `${end.eventId}0` }] };
};

const endUnexpected: Spoil = (history, pick) => {
  const close = choose(history.forcedCloses, pick);
  const forcedCloses = history.forcedCloses.filter((one) => one !== close);
  return close && { ...history, forcedCloses };
};

export const spoils: Readonly<Record<FindingKind, Spoil>> = {
  ...{ lost, doubled, reordered, unknown, gap, repeat, conflict, garbled, overlap },
  end_missing: endMissing,
  end_doubled: endDoubled,
  end_unexpected: endUnexpected,
};
