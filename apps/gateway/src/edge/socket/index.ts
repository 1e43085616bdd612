/**
 * The WebSocket door: the state of one connection, and one switch over all client frames.
 *
 * `dispatch.ts` is where a frame comes in; `connection.ts` has the states; `in-order.ts` keeps answers in the
 * order of frames.
 * To add a frame: its schema in packages/protocol, a case in `dispatch.ts`, its section in
 * docs/reference/protocol.md.
 * Not here: anything of `http/`. What both doors need is in `session/`.
 */
export {};
