import { eventually } from '@sluice/testkit';
import { crowd, loopback } from '../load/crowd.js';
import type { Faults } from '../load/faults.js';
import { Talker } from '../load/talker.js';
import type { Running } from '../programs/programs.js';

const WIDTH = 50;
const HELD_MS = 30_000;

/** Leases without work stay for the whole run, as many as there are sessions. */
export const lingering = (sessions: number) => ({
  lease: { ttl: '10s', linger: '10m', max_lingering: sessions },
});

/** Opens sessions that have sent one message each, and are attached. */
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

/** How many idle leases a node holds, once they are as many as wanted, or after a while. */
export async function heldLeases(port: number, wanted: number): Promise<number> {
  const isThere = async () => (await lingeringLeases(port)) >= wanted;
  await eventually(isThere, HELD_MS, 250).catch(() => undefined);
  return lingeringLeases(port);
}
