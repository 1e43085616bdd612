/** Writes a line of the log: the text is constant, and everything that varies is in fields. */
type Tell = {
  (fields: object, message: string): void;
  (message: string): void;
};

/** The part of a log that its writers need; the gateway makes one with pino. */
export type Logger = {
  readonly debug: Tell;
  readonly info: Tell;
  readonly warn: Tell;
  readonly error: Tell;
  readonly fatal: Tell;
};
