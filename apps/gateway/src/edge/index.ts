/**
 * The edge role: sockets and HTTP in, frames out. `edge.ts` builds it, `drain.ts` empties it.
 *
 * Rooms, each importing only from those before it: limits, access, network, delivery, session, then socket and
 * http side by side.
 * The edge keeps nothing that matters: any node can serve any connection, and Redis has the state.
 * Not here: anything of `worker/`. The two roles meet only in Redis.
 */
export {};
