type Stop = () => Promise<unknown>;

const open: Stop[] = [];

/** Registers what must be stopped when the test file ends; answers the call that takes it off. */
export function stopLater(stop: Stop): () => void {
  open.push(stop);
  return () => {
    const index = open.indexOf(stop);
    if (index >= 0) open.splice(index, 1);
  };
}

/** Stops everything that this test file started and did not stop, the latest first. */
export async function stopAll(): Promise<void> {
  const errors: unknown[] = [];
  for (let stop = open.pop(); stop; stop = open.pop()) {
    await stop().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'not everything could be stopped');
}

// Imported by a jest test file: its module registry, and so this list, is the file's own.
const afterAll: unknown = Reflect.get(globalThis, 'afterAll');
if (typeof afterAll === 'function') afterAll(stopAll, 60_000);
