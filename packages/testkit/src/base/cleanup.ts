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

/** So many are told of each test file. */
const faultsTold = 5;
const faults: string[] = [];

/** Something is wrong that no single test looks for: it fails the test file at its end. */
export function foundFault(fault: string): void {
  faults.push(fault);
}

function tellFaults(): void {
  if (faults.length === 0) return;
  const told = faults.splice(0).slice(0, faultsTold).join('\n');
  throw new Error(`found beside the tests:\n${told}`);
}

// Imported by a jest test file: its module registry, and so this list, is the file's own.
const afterAll: unknown = Reflect.get(globalThis, 'afterAll');

/** Only a test file tells what was found: a rig that measures times does not pay for the search. */
export const tellsFaults = typeof afterAll === 'function';
if (typeof afterAll === 'function') {
  afterAll(stopAll, 60_000);
  afterAll(tellFaults);
}
