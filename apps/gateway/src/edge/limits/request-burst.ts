/** Answered in one turn of the event loop; the library hands over what one client pipelined in one go. */
const AT_ONCE_MAX = 64;

/**
 * undefined while there are few requests in this turn of the event loop, else its end: the library then ends a
 * connection on which another request follows, and everybody else is answered a moment later.
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
