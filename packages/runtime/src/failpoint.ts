import { exitStatus, StartError } from './exit-status.js';

/** Before a call is sent, or after Redis has executed it and before anything is made of its reply. */
export type FailpointSide = 'before' | 'after';

type Armed = { readonly call: string; readonly side: FailpointSide; left: number };

/** Of the process, like the signal that it sends: there is nothing to hand down. */
let armed: Armed | undefined;

/**
 * Arms `SLUICE_FAILPOINT=<call>.<before|after>[:<n>]`: the n-th pass (default the first) kills the
 * process with SIGKILL on the spot. Nothing is read in production. Throws StartError 78 for a name
 * that is not of `calls`.
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

/** A place at which the process may be told to die. */
export function failpoint(call: string, side: FailpointSide): void {
  if (armed === undefined || armed.call !== call || armed.side !== side) return;
  armed.left -= 1;
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL');
}

/** Runs a call between its two failpoints; one that fails was perhaps not executed, and passes no second. */
export function betweenFailpoints<T>(call: string, run: () => Promise<T>): Promise<T> {
  // Each call to Redis comes through here: one that is not armed must cost no promise of its own.
  return armed?.call === call ? passBoth(call, run) : run();
}

async function passBoth<T>(call: string, run: () => Promise<T>): Promise<T> {
  failpoint(call, 'before');
  const result = await run();
  failpoint(call, 'after');
  return result;
}
