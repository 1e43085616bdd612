/** A span that was begun. Only the first `end` counts. */
export type OpenSpan = {
  /** Its name for others (W3C `traceparent`); '' when nothing is traced. */
  readonly traceparent: string;
  /** `failure`: why the work failed; undefined: it did not fail. */
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
  /** The `traceparent` of each message, from its acceptance. */
  readonly traceparents: () => readonly string[];
};

/** The spans of a node. They hold names, ids and outcomes, never what a message says (X6). */
export type Tracing = {
  /** Begins the span of an acceptance, as a child of the client's span. */
  accept(about: Acceptance): OpenSpan;
  /** Begins the span of one try of a turn: a trace of its own, with a link to the acceptance of each message. */
  turn(about: TurnTry): OpenSpan;
  /** Sends the spans that were not sent yet. */
  close(): Promise<void>;
};

const noSpan: OpenSpan = { traceparent: '', end: () => {} };

export const noTracing: Tracing = {
  accept: () => noSpan,
  turn: () => noSpan,
  close: async () => {},
};
