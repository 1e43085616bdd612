/**
 * Which Redis process is the primary: how sentinels are asked, when they name another one, and what tells a process
 * from itself before a demotion (E2).
 *
 * Not here: connections to it (redis), and what a change means for sessions (the scripts).
 */
export {};
