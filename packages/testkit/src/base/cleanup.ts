type Stop = () => Promise<unknown>;

const open: Stop[] = [];

/** Calls `stop` when the test file ends. Returns a function that takes it off the list. */
export function stopLater(stop: Stop): () => void {
  open.push(stop);
  return () => {
    const index = open.indexOf(stop);
    if (index >= 0) open.splice(index, 1);
  };
}

/** Stops everything that this test file started and did not stop, the newest first. */
export async function stopAll(): Promise<void> {
  const errors: unknown[] = [];
  for (let stop = open.pop(); stop; stop = open.pop()) {
    await stop().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'not everything could be stopped');
}

/** Faults that are reported per test file. */
const faultsTold = 5;
const faults: string[] = [];

/** Records a fault that no single test looks for: it fails the test file at its end. */
export function foundFault(fault: string): void {
  faults.push(fault);
}

function tellFaults(): void {
  if (faults.length === 0) return;
  const lines = faults.splice(0).slice(0, faultsTold).join('\n');
  throw new Error(`found beside the tests:\n${lines}`);
}

// Each jest test file has its own module registry, and so its own list.
const afterAll: unknown = Reflect.get(globalThis, 'afterAll');

/** True in a test file. A rig that measures times reports no faults and does not search for them. */
export const tellsFaults = typeof afterAll === 'function';
if (typeof afterAll === 'function') {
  afterAll(stopAll, 60_000);
  afterAll(tellFaults);
}
