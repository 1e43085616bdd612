import { eventually } from '@sluice/testkit';
import { crowd, loopback } from '../load/crowd.js';
import type { Faults } from '../load/faults.js';
import { Talker } from '../load/talker.js';
import type { Running } from '../programs/programs.js';

const WIDTH = 50;
const HELD_MS = 30_000;

/** Configuration with which idle leases of all sessions linger for the whole run. */
export const lingering = (sessions: number) => ({
  lease: { ttl: '10s', linger: '10m', max_lingering: sessions },
});

/** Opens sessions; each has sent one message and stays attached. */
export async function openQuiet(edge: Running, sessions: number, faults: Faults) {
  const talkers: Talker[] = [];
  await crowd(sessions, WIDTH, async (index) => {
    const options = { session: `quiet-${index}`, localAddress: loopback(index) };
    const talker = await Talker.attach(edge.attach, faults, options);
    await talker.serial(1);
    talkers[index] = talker;
  });
  return talkers;
}

async function lingeringLeases(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^sluice_lingering_leases(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
}

/** Waits until a node holds `wanted` idle leases, at most `HELD_MS`; returns how many it holds. */
export async function heldLeases(port: number, wanted: number): Promise<number> {
  const isThere = async () => (await lingeringLeases(port)) >= wanted;
  await eventually(isThere, HELD_MS, 250).catch(() => undefined);
  return lingeringLeases(port);
}
