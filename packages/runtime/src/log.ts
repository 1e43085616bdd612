/** A line of the log: constant text, and what varies in fields. */
type Tell = {
  (fields: object, message: string): void;
  (message: string): void;
};

/** What is needed of a log by those that write to it; the gateway makes one with pino. */
export type Logger = {
  readonly debug: Tell;
  readonly info: Tell;
  readonly warn: Tell;
  readonly error: Tell;
  readonly fatal: Tell;
};
