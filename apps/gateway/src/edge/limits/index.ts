/**
 * What one client may cost others: rates, paces of frames, bytes not yet read, open files, prices of calls.
 *
 * Here: the counting and the decision. Every limit has a name in docs/reference/configuration.md and a defined
 * overflow.
 * To add a limit: its kind in `results.ts` or `rates.ts`, its price in `costs.ts`.
 * Not here: the answer to a client; the caller knows its words. No file here knows a socket or a request.
 */
export {};
