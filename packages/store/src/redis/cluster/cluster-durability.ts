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
  const opened: DurabilityWait[] = [];
  const open = async (master: Master) => {
    const wait = await master.openDurability(level);
    waits.set(master, wait);
    opened.push(wait);
  };
  const known = masters.all();
  await Promise.all(known.filter((it) => it.isReady()).map(open));
  masters.onOpen((master) => {
    // Until it is open, and when it cannot reach the level, its sessions get `memory`.
    if (!waits.has(master)) open(master).catch(onError);
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
    close() {
      for (const wait of opened) wait.close();
    },
  };
}
