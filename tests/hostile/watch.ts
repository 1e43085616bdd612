import { readFileSync } from 'node:fs';
import { sleep } from '@sluice/runtime';

const LOOK_MS = 250;
/** A probe that takes longer has failed, as with Kubernetes' default. */
const PROBE_LIMIT_MS = 1_000;

/** Resident memory of a process, in MiB. */
export function memoryOf(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1_024);
}

/** Seconds of processor time that a process has used. */
export function processorOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export type Watched = {
  memoryMax: number;
  /** Answers of `/ready` other than 200, and how long each had taken. */
  readonly notReady: string[];
  probes: number;
};

/** Looks at a node four times a second until the returned function is called. */
export function watch(url: string, pid: number): { seen: Watched; stop(): Promise<Watched> } {
  const seen: Watched = { memoryMax: 0, notReady: [], probes: 0 };
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      seen.memoryMax = Math.max(seen.memoryMax, memoryOf(pid));
      const sentMs = performance.now();
      const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(PROBE_LIMIT_MS) })
        .then(async (response) => {
          await response.text();
          return String(response.status);
        })
        .catch((error: Error) => error.name);
      seen.probes += 1;
      const took = Math.round(performance.now() - sentMs);
      if (answer !== '200') seen.notReady.push(`${answer} after ${took} ms`);
      await sleep(LOOK_MS);
    }
  })();
  const stop = async () => {
    isOver = true;
    await loop;
    return seen;
  };
  return { seen, stop };
}
