import type { Durability } from '@sluice/protocol';
import { type Keys, sessionKeyId, slotOf } from '../../keys/keys.js';
import type { DurabilityWait } from '../durability.js';
import type { Master, Masters } from './masters.js';

/** Waits at the master that has the session. Throws StartError when a master cannot reach the level. */
export async function openClusterDurability(
  level: Durability,
  { masters, keys, onError }: { masters: Masters; keys: Keys; onError(error: unknown): void },
): Promise<DurabilityWait> {
  const waits = new WeakMap<Master, DurabilityWait>();
  const open = async (master: Master, mustReach: boolean) => {
    waits.set(master, await master.openDurability(level, mustReach));
  };
  await Promise.all(
    masters.all().map(async (master) => {
      if (master.isReady()) await open(master, true);
    }),
  );
  masters.onOpen((master) => {
    // One that was promoted a moment ago has no replica yet: until it has, its sessions get `memory`.
    if (!waits.has(master)) open(master, false).catch(onError);
  });
  const at = async (master: Master | undefined): Promise<Durability> =>
    (master && (await waits.get(master)?.reached())) ?? 'memory';
  return {
    level,
    async reached(of) {
      if (level === 'memory') return level;
      if (of) {
        const id = sessionKeyId(of.principal, of.sessionId);
        return at(masters.of(slotOf(keys.session(id).state)));
      }
      const all = await Promise.all(masters.all().map(at));
      return all.includes('memory') ? 'memory' : level;
    },
    close() {}, // each master closes its own
  };
}
