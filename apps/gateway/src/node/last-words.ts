import type { Logger } from '@sluice/runtime';

/** What Node itself uses for an uncaught exception: a supervisor starts the process again. */
const UNCAUGHT_STATUS = 1;

/**
 * A fault of Sluice that nothing caught ends the node: its state cannot be trusted any more, and others take
 * its sessions over. Node's own report prints the arguments of the call to Redis that failed, which are
 * contents and lease tokens (X6).
 */
export function onUncaught(log: Logger): void {
  process.on('uncaughtException', (err, origin) => {
    log.fatal({ err, origin }, 'the process ends: a fault of Sluice, please report it');
    process.exit(UNCAUGHT_STATUS);
  });
}
