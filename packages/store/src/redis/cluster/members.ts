import { slotOf } from '../../keys/keys.js';
import { lookOnce } from '../../server/one-look.js';
import { connectionOptions, type RedisAddress } from '../address.js';

const LIMIT_MS = 3_000;

/** A master of a cluster, as one of its nodes says. */
export type ClusterMember = {
  /** `host:port` */
  readonly name: string;
  readonly slots: readonly (readonly [first: number, last: number])[];
  readonly replicas: number;
};

/** Masters that serve slots, from the first node that answers. Rejects with what the last one said. */
export async function clusterMembers(address: RedisAddress): Promise<ClusterMember[]> {
  const { nodes = [address.url], ...rest } = address;
  let reason: unknown = new Error('no answer');
  for (const url of nodes) {
    const options = connectionOptions({ ...rest, url });
    try {
      return membersOf(await lookOnce(options, { limitMs: LIMIT_MS }, (it) => it.cluster('SLOTS')));
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

type Row = readonly [number, number, ...(readonly [string, number, ...unknown[]])[]];

function membersOf(rows: readonly Row[]): ClusterMember[] {
  const members = new Map<string, { slots: [number, number][]; replicas: number }>();
  for (const [first, last, master, ...replicas] of rows) {
    const name = master ? `${master[0]}:${master[1]}` : '';
    const known = members.get(name) ?? { slots: [], replicas: replicas.length };
    known.slots.push([first, last]);
    members.set(name, known);
  }
  return [...members].map(([name, member]) => ({ name, ...member }));
}

/** Whether a member has a key. */
export const hasKey = ({ slots }: ClusterMember, key: string): boolean =>
  slots.some(([first, last]) => first <= slotOf(key) && slotOf(key) <= last);

/** The address of one member alone. */
export function addressOfMember(address: RedisAddress, { name }: ClusterMember): RedisAddress {
  const { nodes: _, ...rest } = address;
  return { ...rest, master: name };
}

/** Where a key is: the address as it is, or that of the master of its slot now. */
export async function addressOfKey(address: RedisAddress, key: string): Promise<RedisAddress> {
  if (!address.nodes) return address;
  const found = (await clusterMembers(address)).find((member) => hasKey(member, key));
  if (!found) throw new Error(`CLUSTERDOWN no master serves the slot of ${key}`);
  return addressOfMember(address, found);
}
