/** A broken invariant: a bug, never a user's mistake. The process is not expected to go on. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError if `condition` is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends an exhaustive switch: a new member of the union becomes a type error here. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
