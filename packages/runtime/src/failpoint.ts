import { exitStatus, StartError } from './exit-status.js';

/** Before a call is sent, or after Redis has executed it and before its reply is used. */
export type FailpointSide = 'before' | 'after';

type Armed = { readonly call: string; readonly side: FailpointSide; left: number };

/** Global, since a failpoint kills the whole process. */
let armed: Armed | undefined;

/**
 * Arms `SLUICE_FAILPOINT=<call>.<before|after>[:<n>]`: the n-th pass (default the first) kills the
 * process with SIGKILL on the spot. Not for production. Throws StartError 78 for a name that is not in
 * `calls`.
 */
export function armFailpoint(env: NodeJS.ProcessEnv, calls: readonly string[]): void {
  const wanted = env.SLUICE_FAILPOINT;
  if (wanted === undefined || wanted === '' || env.NODE_ENV === 'production') return;
  const [, call = '', side, count = '1'] =
    /^([a-z-]+)\.(before|after)(?::([1-9]\d{0,5}))?$/.exec(wanted) ?? [];
  if (!calls.includes(call)) {
    throw new StartError(
      `SLUICE_FAILPOINT=${wanted}: give <call>.<before|after>[:<n>], with one of the calls ` +
        `${calls.join(', ')} (docs/internals/failpoints.md)`,
      exitStatus.config,
    );
  }
  armed = { call, side: side === 'after' ? 'after' : 'before', left: Number(count) };
}

/** Kills the process here if this failpoint is armed and it is the n-th pass. */
export function failpoint(call: string, side: FailpointSide): void {
  if (armed === undefined || armed.call !== call || armed.side !== side) return;
  armed.left -= 1;
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL');
}

/** Runs a call between its two failpoints. A failed call skips the second: perhaps Redis did not execute it. */
export function betweenFailpoints<T>(call: string, run: () => Promise<T>): Promise<T> {
  // Every call to Redis comes through here: without an armed failpoint it must not cost a promise.
  return armed?.call === call ? passBoth(call, run) : run();
}

async function passBoth<T>(call: string, run: () => Promise<T>): Promise<T> {
  failpoint(call, 'before');
  const result = await run();
  failpoint(call, 'after');
  return result;
}
