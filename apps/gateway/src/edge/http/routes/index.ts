/**
 * The routes of HTTP, a file for each topic. `../../routes.ts` puts them together.
 *
 * To add a route: `defineRoute` with its schemas, then its row in docs/reference/protocol.md.
 * Routes of scope `admin` write who did what to the log (`guards.ts`).
 * Not here: logic that a socket needs as well; that is `session/`.
 */
export {};
