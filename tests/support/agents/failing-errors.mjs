/** A module's own copy of the class of the port. */
export class TerminalError extends Error {
  name = 'TerminalError';
}
