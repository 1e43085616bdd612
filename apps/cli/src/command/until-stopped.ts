/**
 * What `promise` resolves with, or 'stopped' as soon as the signal says so. Unlike a race with one promise for
 * the stop it leaves nothing behind when it is called again and again.
 */
export function untilStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | 'stopped'> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve('stopped');
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const settled = () => signal.removeEventListener('abort', stop);
    promise.finally(settled).then(resolve, reject);
  });
}
