/**
 * Connections to Redis, and the state of that Redis: alive, writable, full, its version.
 *
 * `connect.ts` sends scripts and commands; `connection-proof.ts` asks each connection to prove itself (ADR 12).
 * A refusal of Redis becomes StoreUnavailable here, so that no other room reads error texts.
 * Not here: keys and meanings.
 */
export {};
