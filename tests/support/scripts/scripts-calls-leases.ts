import type { Lease, Store } from '@sluice/store';
import type { ScriptCall } from './scripts-calls.js';
import { commitOf, idOf, refOf, sessionWith, take } from './scripts-world.js';

const ref = refOf('s');
const id = idOf(ref);

/** A holder that has drained its inbox. */
async function lingering(store: Store): Promise<Lease> {
  await sessionWith(store, 's', 'm0');
  const { lease } = await take(store, ref, 't0');
  await store.leases.commit(lease, commitOf('t0'));
  return lease;
}

const withStale = (lease: Lease) => [{ ...lease, fence: lease.fence - 1 }, lease];

/** Calls for many leases at once. */
export const leaseCalls: readonly ScriptCall[] = [
  {
    script: 'leases-renew',
    when: 'one is idle, another has passed on',
    prepare: async (store) => {
      const leases = withStale(await lingering(store));
      const partition = store.keys.partitionOf(id);
      return () => store.manyLeases.renew(partition, leases).then(({ replies }) => replies);
    },
  },
  {
    script: 'leases-release',
    when: 'one is idle, another has passed on',
    prepare: async (store) => {
      const leases = withStale(await lingering(store));
      return () => store.manyLeases.release(store.keys.partitionOf(id), leases);
    },
  },
];
