/**
 * Who a client is: credentials, signed tokens, origins, addresses behind proxies.
 *
 * `identity.ts` has the types; `authenticate.ts` turns a presented credential into an identity.
 * Refusals say no more than a stranger may know (`refused-credentials.ts`).
 * Not here: what an identity may do to a session. Nothing here reads Redis.
 */
export {};
