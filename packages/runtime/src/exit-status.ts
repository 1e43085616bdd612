/** Exit statuses (sysexits.h): what a supervisor may conclude from each. */
export const exitStatus = {
  /** Clean stop. */
  ok: 0,
  /** The gateway refused the request; retrying will not help. */
  refused: 1,
  /** The command line itself is wrong: unknown command or option, missing argument. */
  usage: 2,
  /** A temporary failure: a restart may help. */
  tempFail: 75,
  /** The configuration cannot work: a restart will not help. */
  config: 78,
} as const;

/** Ends the process at start with one readable message and a status for the supervisor. */
export class StartError extends Error {
  override readonly name = 'StartError';
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}
