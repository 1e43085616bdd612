/** Writes CPU profiles of the process that loads it, one file for every 5 s (bench/README.md). */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, join } from 'node:path';

const STRETCH_MS = 5_000;

const folder = process.env.PROFILES;
if (folder) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  const what = basename(process.argv[1] ?? 'node').replace(/\..*/, '');
  let stretches = 0;
  setInterval(() => {
    session.post('Profiler.stop', (_error, { profile }) => {
      stretches += 1;
      const file = `${what}-${process.pid}-${stretches}.cpuprofile`;
      writeFileSync(join(folder, file), JSON.stringify(profile));
    });
    session.post('Profiler.start');
  }, STRETCH_MS).unref();
}
