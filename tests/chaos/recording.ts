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

/** Leaves out undefined fields. */
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

/** The frame as the history keeps it; undefined if it says nothing about the log. */
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

type Span = { readonly startMs: number; readonly endMs: number };

/** A failed connection; status 0: no answer at all. */
export type Refusal = Span & { readonly status: number; readonly why: string };

/** Gathers the history of a run while it happens. */
export class Recording {
  readonly sent: Mutable<History>['sent'] = [];
  readonly acknowledged: Mutable<History>['acknowledged'] = [];
  readonly views: View[] = [];
  readonly faults: Fault[] = [];
  /** Statuses of nodes that were told to stop; null: it did not end in time, or by a signal. */
  readonly exits: (number | null)[] = [];
  /** When no node could serve: refusals during these spans are no fault. */
  readonly outages: Span[] = [];
  readonly refusals: Refusal[] = [];
  /** Faults outside of the history: a wrong exit status, a dead node. */
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

  /** Refusals that a balancer with at least one ready node should have prevented. */
  get unexcused(): Refusal[] {
    const stops = this.faults.filter(({ kind }) => kind === 'stop');
    const meets = (refusal: Span, spans: readonly Span[]) =>
      spans.some((it) => refusal.startMs <= it.endMs && refusal.endMs >= it.startMs);
    return this.refusals.filter(
      // A stopped node still accepts connections and says nothing: the client gives up.
      (it) => !meets(it, this.outages) && !(it.status === 0 && meets(it, stops)),
    );
  }

  odd(what: string): void {
    this.oddities.push(what);
    this.tell(what);
  }
}
