/** Requests that are answered in one turn of the event loop. The library hands over pipelined ones all at once. */
const AT_ONCE_MAX = 64;

/**
 * Returns undefined while there are few requests in this turn of the event loop, else a promise of its end. A request
 * that waits for it is answered a moment later, but the library ends a connection on which another one follows.
 */
export function makeRequestBurst(): () => Promise<void> | undefined {
  let count = 0;
  let over: Promise<void> | undefined;
  return () => {
    over ??= new Promise((resolve) => {
      setImmediate(() => {
        count = 0;
        over = undefined;
        resolve();
      });
    });
    count += 1;
    return count > AT_ONCE_MAX ? over : undefined;
  };
}
