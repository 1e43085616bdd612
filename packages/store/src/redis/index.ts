/**
 * Connections to Redis, and what is known of that Redis: alive, writable, full, of which version.
 *
 * `connect.ts` sends scripts and commands; `connection-proof.ts` asks each connection to prove itself (ADR 12).
 * What Redis refuses becomes StoreUnavailable here, once, so that nobody else reads error texts.
 * Not here: keys and meanings.
 */
export {};
