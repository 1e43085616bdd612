/**
 * From an event of the log to the readers of this node, in order and once (rules E1 to E10).
 *
 * `fan-out.ts` has one `feed.ts` per session; a feed is catching up or live; readers are `socket-reader.ts` and
 * `log-reader.ts`.
 * A hole, a lost subscription or a new epoch all lead to the same loop in the feed: read the log again.
 * Not here: what a client asks for. Nothing here writes to Redis but resume marks.
 */
export {};
