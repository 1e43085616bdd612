/**
 * One session in Redis: inbox, event log, history, metadata, listing, dead letters.
 *
 * Each function is one call, and one state change is one script. Decoding of what is stored happens here.
 * Names of keys come from `../keys`. Damage is named and skipped, never thrown at others (T7).
 * Not here: leases (`../leases`), frames for clients (`edge/delivery/frames`).
 */
export {};
