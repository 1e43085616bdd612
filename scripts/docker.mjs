/**
 * `npm run test:docker`: builds the image, brings docker-compose.yml up under a name of its own, plays
 * tests/docker in it and takes it down again. Status 69 when no engine answers. `SLUICE_IMAGE` names an
 * image that is built already. Not part of `npm test`: docs/operate/engine.md.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { ensureBuilt } from './lib/build.mjs';
import { bundle } from './lib/bundle.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, output, run } from './lib/processes.mjs';
import { SetupError, say } from './lib/say.mjs';

/** Most bytes that the image may add to its base. */
const addedBytesMax = 60e6;
const playMs = 10 * 60_000;

let interrupted = false;
for (const name of ['SIGINT', 'SIGTERM']) {
  process.on(name, () => {
    interrupted = true;
    endRunning();
  });
}

function findCompose() {
  if (output('docker', ['info'], 10_000) === undefined) {
    throw new SetupError(
      'no container engine answers, so that nothing was tested: docs/operate/engine.md',
    );
  }
  if (output('docker', ['compose', 'version'], 30_000)) return ['docker', 'compose'];
  if (output('docker-compose', ['version'], 30_000)) return ['docker-compose'];
  throw new SetupError(
    'neither docker compose nor docker-compose was found: docs/operate/engine.md',
  );
}

/** A port that was free a moment ago; the engine binds it later. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function buildImage() {
  if (process.env.SLUICE_IMAGE) return process.env.SLUICE_IMAGE;
  const image = 'sluice:test';
  const revision = output('git', ['rev-parse', 'HEAD']) ?? 'unknown';
  const args = ['build', '--network', 'host', '-t', image, '--build-arg', `REVISION=${revision}`];
  if ((await run('docker', [...args, '.'])) !== 0) throw new SetupError('the build failed', 1);
  return image;
}

function checkSize(image) {
  const ask = (name, field) => output('docker', ['image', 'inspect', '--format', field, name]);
  const base = ask(image, '{{index .Config.Labels "org.opencontainers.image.base.name"}}');
  const added = Number(ask(image, '{{.Size}}')) - Number(ask(base, '{{.Size}}'));
  say(`${image} adds ${(added / 1e6).toFixed(1)} MB to ${base}`);
  if (!(added > 0 && added <= addedBytesMax)) {
    throw new SetupError(`at most ${addedBytesMax / 1e6} MB are allowed`, 1);
  }
}

async function testDocker() {
  const [command, ...words] = findCompose();
  await ensureDependencies();
  if (!(await ensureBuilt())) throw new SetupError('the build failed', 1);
  const file = await bundle('tests/docker');
  const image = await buildImage();
  checkSize(image);
  const files = ['docker-compose.yml', 'tests/docker/compose.yml'].map((name) => inRoot(name));
  const project = `sluice-test-${process.pid}`;
  const compose = [...words, '-p', project, ...files.flatMap((name) => ['-f', name])];
  const env = {
    ...process.env,
    SLUICE_IMAGE: image,
    SLUICE_TOKEN: randomBytes(24).toString('hex'),
    SLUICE_HTTP_PORT: String(await freePort()),
    SLUICE_PROMETHEUS_PORT: String(await freePort()),
    SLUICE_COMPOSE: JSON.stringify([command, ...compose]),
  };
  try {
    const up = await run(command, [...compose, 'up', '-d', '--no-build'], { env });
    if (up !== 0) throw new SetupError('docker-compose.yml did not come up', 1);
    const status = interrupted
      ? 1
      : await run(process.execPath, [file], { env, timeoutMs: playMs });
    if (status !== 0) await run(command, [...compose, 'logs', '--tail', '40'], { env });
    return status;
  } finally {
    await run(command, [...compose, 'down', '-v', '-t', '15'], { env });
  }
}

try {
  process.exitCode = await testDocker();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run test:docker: ${error.message}`);
  process.exitCode = error.status;
}
