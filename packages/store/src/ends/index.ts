/**
 * Ends of sessions (SESSION_END): written beside the session, copied to one stream, read by dashboards.
 *
 * A record is delivered at least once; its `event_id` names it (D4, D9).
 * Not here: ending a session; that is a script of `session/`.
 */
export {};
