import type { Logger } from '@sluice/runtime';

/** The status that Node itself uses for an uncaught exception: a supervisor starts the process again. */
const UNCAUGHT_STATUS = 1;

/**
 * Ends the node on a fault of Sluice that nothing caught: its state cannot be trusted any more, and other nodes take
 * over its sessions. Node's own report would print the arguments of the call to Redis that failed: contents and lease
 * tokens (X6).
 */
export function onUncaught(log: Logger): void {
  process.on('uncaughtException', (err, origin) => {
    log.fatal({ err, origin }, 'the process ends: a fault of Sluice, please report it');
    process.exit(UNCAUGHT_STATUS);
  });
}
