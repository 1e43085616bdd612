import type { HeadReply } from '../script/script-replies.js';

/** What `inbox-append` publishes to a holder that lingers. */
export type Wake =
  /** Something waits: the holder asks for it. */
  | { readonly kind: 'plain'; readonly id: string }
  /** The turn of the message was begun in the holder's name. */
  | {
      readonly kind: 'begun';
      readonly id: string;
      /** Id of the turn that was committed last: a wake that comes late follows another one. */
      readonly follows: string;
      readonly turnId: string;
      readonly firstAtMs: number;
      readonly entry: string;
    };

/** `wake <id>`, or `begun <id> <follows> <turn id> <ms>` and the inbox entry on the next line; undefined: no wake. */
export function decodeWake(message: string): Wake | undefined {
  const lineEnd = message.indexOf('\n');
  const words = (lineEnd < 0 ? message : message.slice(0, lineEnd)).split(' ');
  const [kind, id = '', follows = '', turnId = '', at] = words;
  if (kind === 'wake') return { kind: 'plain', id };
  if (kind !== 'begun') return undefined;
  const entry = message.slice(lineEnd + 1);
  return { kind, id, follows, turnId, firstAtMs: Number(at), entry };
}

/** The head that a `begun` wake brings, for the holder that has run `last` under this lease. */
export function headOfWake(
  { turnId, firstAtMs, entry }: Wake & { kind: 'begun' },
  last: Pick<HeadReply, 'turnId' | 'fence' | 'agent' | 'principal' | 'sessionId'>,
): HeadReply {
  const { fence, agent, principal, sessionId } = last;
  const whose = { fence, agent, principal, sessionId };
  const first = { attempt: 1, abort: '', pauseMs: Number.NaN, firstAtMs };
  const flags = { isTakenOver: false, isAlone: false, isCut: false };
  return { ...whose, turnId, lastTurn: last.turnId, ...first, ...flags, entries: [entry] };
}
