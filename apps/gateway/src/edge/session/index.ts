/**
 * What both doors, HTTP and WebSocket, do to a session.
 *
 * Here: `context.ts` (what they share), entering a session, storing a message, stopping one, the outcome of a
 * repeat.
 * A rule about messages belongs here, so that neither door can forget it.
 * Not here: frames of a socket or answers of HTTP; callers turn results into them.
 */
export {};
