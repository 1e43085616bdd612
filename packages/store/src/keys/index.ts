/**
 * The only maker of names in Redis, and the log of stored values that cannot be read.
 *
 * A session's keys share the hash tag of its partition, so that one script touches one slot (ADR 3).
 * To add a key: here, then in the table of ARCHITECTURE.md.
 * Not here: values.
 */
export {};
