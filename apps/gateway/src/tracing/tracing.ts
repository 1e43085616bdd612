/** A span that was begun; more than one `end` changes nothing. */
export type OpenSpan = {
  /** What others name it by (W3C `traceparent`); '' when nothing is traced. */
  readonly traceparent: string;
  /** `failure`: why what it stands for failed; undefined: it did not. */
  end(outcome: string, failure?: string): void;
};

export type Acceptance = {
  readonly agent: string;
  readonly sessionId: string;
  readonly messageId: string;
  /** The client's `traceparent`; '' for none. */
  readonly parent: string;
};

export type TurnTry = Omit<Acceptance, 'parent'> & {
  readonly turnId: string;
  readonly attempt: number;
  readonly fence: number;
  /** Of the messages, as they were accepted. */
  readonly traceparents: () => readonly string[];
};

/** The spans of a node. They hold names, ids and outcomes, never what a message says (X6). */
export type Tracing = {
  /** A message is being accepted: a child of what its client does. */
  accept(about: Acceptance): OpenSpan;
  /** One try of a turn: a trace of its own, linked to the acceptance of each message. */
  turn(about: TurnTry): OpenSpan;
  /** Sends what was not sent yet. */
  close(): Promise<void>;
};

const noSpan: OpenSpan = { traceparent: '', end: () => {} };

export const noTracing: Tracing = {
  accept: () => noSpan,
  turn: () => noSpan,
  close: async () => {},
};
