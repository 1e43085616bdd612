/** Prints a line about the set-up on stderr: stdout belongs to the gateway. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** EX_UNAVAILABLE of sysexits.h: something that the set-up needs is not available. */
export const unavailableStatus = 69;

/** Ends the set-up with one message and an exit status. */
export class SetupError extends Error {
  constructor(message, status = unavailableStatus) {
    super(message);
    this.status = status;
  }
}
