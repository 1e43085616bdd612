/**
 * Who may connect: `gateway.auth` as it is written, and where its secrets come from.
 *
 * Here: tokens, signed tokens (JWT), files with secrets, the list of secrets that are too weak.
 * Secrets are `Secret` values from `../secret`: they print as `[secret]` and are compared in constant time.
 * Not here: the check of a credential that a client presents; that is `edge/access`.
 */
export {};
