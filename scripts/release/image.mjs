import { join } from 'node:path';
import { output, run } from '../lib/processes.mjs';
import { SetupError, say } from '../lib/say.mjs';

/** The image, where a container engine answers. Its bytes are others each time: it holds the times of its build. */
export async function makeImage(out, { version, commit }) {
  if (output('docker', ['info'], 10_000) === undefined) {
    say('no container engine answers: the image is not built (docs/operate/engine.md)');
    return;
  }
  const image = `sluice:${version}`;
  const labels = [`VERSION=${version}`, `REVISION=${commit}`].flatMap((it) => ['--build-arg', it]);
  const built = await run('docker', ['build', '--network', 'host', '-t', image, ...labels, '.']);
  if (built !== 0) throw new SetupError('the image could not be built', 1);
  const file = join(out, `sluice-image-${version}.tar`);
  if ((await run('docker', ['save', '-o', file, image])) !== 0) {
    throw new SetupError('the image could not be saved', 1);
  }
}
