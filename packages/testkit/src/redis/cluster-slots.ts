import type { Redis } from 'ioredis';

type Server = { readonly id: string; readonly port: number; readonly direct: Redis };

const KEYS_AT_ONCE = 100;
const MIGRATE_MS = 5_000;

/** CRC16 of what is hashed of a key: its hash tag if it has one. */
export function slotOf(key: string): number {
  const [, tag] = /\{([^}]+)\}/.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag ?? key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % 16_384;
}

/** Moves one slot, with the steps of `redis-cli --cluster reshard`. */
export async function moveSlot(
  slot: number,
  { from, to, others }: { from: Server; to: Server; others: readonly Server[] },
): Promise<void> {
  if (from.id === to.id) return;
  await to.direct.cluster('SETSLOT', slot, 'IMPORTING', from.id);
  await from.direct.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  for (;;) {
    const keys = (await from.direct.cluster('GETKEYSINSLOT', slot, KEYS_AT_ONCE)) as string[];
    if (keys.length === 0) break;
    const what = ['127.0.0.1', to.port, '', 0, MIGRATE_MS, 'REPLACE', 'KEYS', ...keys] as const;
    await from.direct.call('MIGRATE', ...what);
  }
  // The new owner first: so there is no moment in which nobody owns the slot.
  await to.direct.cluster('SETSLOT', slot, 'NODE', to.id);
  await from.direct.cluster('SETSLOT', slot, 'NODE', to.id);
  for (const other of others) {
    // A replica learns it from its master.
    await other.direct.cluster('SETSLOT', slot, 'NODE', to.id).catch(() => undefined);
  }
}
