import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { sleep } from '@sluice/runtime';

const LOOK_MS = 250;
/** A probe that takes longer has failed, as with the default of Kubernetes. */
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
  /** Answers of `/ready` other than 200, and how long each took. */
  readonly notReady: string[];
  /** The same of `/live`, as Kubernetes asks. */
  readonly notAlive: string[];
  probes: number;
};

/** A probe over a new connection, as a kubelet does it. */
function probe(url: string): Promise<string> {
  const sentMs = performance.now();
  return new Promise<string>((resolve) => {
    const signal = AbortSignal.timeout(PROBE_LIMIT_MS);
    const request = get(url, { agent: false, signal }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(String(answer.statusCode)));
      answer.on('error', (error) => resolve(error.message));
    });
    request.on('error', (error) => resolve(error.message));
  }).then((answer) =>
    answer === '200' ? '' : `${answer} after ${Math.round(performance.now() - sentMs)} ms`,
  );
}

/** Checks a node four times a second until the returned function is called. */
export function watch(
  { url, liveUrl }: { url: string; liveUrl: string },
  pid: number,
): { seen: Watched; stop(): Promise<Watched> } {
  const seen: Watched = { memoryMax: 0, notReady: [], notAlive: [], probes: 0 };
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      seen.memoryMax = Math.max(seen.memoryMax, memoryOf(pid));
      const [ready, live] = await Promise.all([probe(`${url}/ready`), probe(`${liveUrl}/live`)]);
      seen.probes += 1;
      if (ready !== '') seen.notReady.push(ready);
      if (live !== '') seen.notAlive.push(live);
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
