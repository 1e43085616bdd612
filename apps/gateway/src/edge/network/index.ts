/**
 * Everything that touches uWebSockets.js, and the plain types (`transport.ts`) that hide it.
 *
 * Here: listening, upgrades and their admission, bytes of sockets and requests, heartbeats, the page at `/`.
 * `server.ts` is the only file that imports the library. What it gives is gone after the call that brought it:
 * copy first.
 * Not here: frames or sessions. This room hands on text and gets text.
 */
export {};
