import {
  type EventFrame,
  type Fault,
  type Frame,
  type FrameClient,
  type History,
  loggedFrame,
  type View,
} from '@sluice/testkit';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** Leaves out what is undefined. */
function present<T extends Record<string, string | undefined>>(fields: T) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: string };
}

function toEvent(frame: Frame, replay: boolean): EventFrame {
  const data = isObject(frame.data) ? frame.data : {};
  const outcome = isObject(frame.outcome) ? frame.outcome.status : undefined;
  const isFinal = frame.status === 'final';
  return {
    kind: 'event',
    seq: frame.cursor ?? 0,
    skipped: frame.skipped ?? 0,
    replay,
    type: frame.type,
    ...present({
      epoch: frame.epoch,
      status: frame.status,
      messageId: frame.message_id ?? text(data.message_id),
      turnId: text(frame.turn_id) ?? text(data.turn_id),
      outcome: text(outcome),
      text: text(isFinal ? frame.content : data.content),
    }),
  };
}

/** What a frame says about the log; undefined: nothing. */
export function toViewFrame(frame: Frame): View['frames'][number] | undefined {
  if (frame.type === 'snapshot' && isObject(frame.state)) {
    const { event_cursor: seq, epoch } = frame.state;
    return { kind: 'snapshot', seq: Number(seq), epoch: String(epoch) };
  }
  const logged = loggedFrame(frame);
  return logged && toEvent(logged, frame.type === 'replay');
}

/** How one connection attached. */
export type Attachment = Pick<View, 'session' | 'client' | 'connection' | 'since' | 'epoch'>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** Gathers the history of a run while it happens. */
export class Recording {
  readonly sent: Mutable<History>['sent'] = [];
  readonly acknowledged: Mutable<History>['acknowledged'] = [];
  readonly views: View[] = [];
  readonly faults: Fault[] = [];
  /** Faults that are not of the history: a wrong exit status, a dead node. */
  readonly oddities: string[] = [];

  constructor(readonly tell: (line: string) => void) {}

  view(attachment: Attachment, client: FrameClient): void {
    const frames = client.frames.flatMap((frame) => toViewFrame(frame) ?? []);
    this.views.push({ ...attachment, frames });
  }

  fault(fault: Fault): void {
    this.faults.push(fault);
    const ms = Math.round(fault.endMs - fault.startMs);
    this.tell(`${fault.kind} ${fault.node ?? ''} at ${Math.round(fault.startMs)} for ${ms} ms`);
  }

  odd(what: string): void {
    this.oddities.push(what);
    this.tell(what);
  }
}
