/**
 * The HTTP door: what its routes share.
 *
 * `define-route.ts` makes a route that checks its query and body by the schemas that describe it in OpenAPI.
 * Here too: posting a message, waiting for its outcome, streams of Server-Sent Events.
 * Not here: anything of `socket/`. What both doors need is in `session/`.
 */
export {};
