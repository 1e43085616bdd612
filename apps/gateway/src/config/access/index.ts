/**
 * Who may connect: `gateway.auth` as it is written, and where its secrets come from.
 *
 * Here: tokens, signed tokens (JWT), files with secrets, the list of secrets that are too weak.
 * A `Secret` (`../secret.ts`) has its values in the clear: faults and the log name its key, never a value (X6).
 * Not here: the check of a credential that a client presents; that is `edge/access`.
 */
export {};
