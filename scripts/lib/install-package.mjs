import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { output, run, which } from './processes.mjs';
import { say } from './say.mjs';

/** The first of these that the machine has is used. */
const packageManagers = [
  {
    name: 'apt-get',
    prepare: ['apt-get', 'update'],
    install: ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y'],
  },
  { name: 'dnf', install: ['dnf', 'install', '-y'] },
  { name: 'apk', install: ['apk', 'add', '--no-cache'] },
  { name: 'brew', install: ['brew', 'install'], asUser: true },
  { name: 'pacman', install: ['pacman', '-Sy', '--noconfirm'] },
];

/** The words before a command that run it as root; undefined when that needs a password. */
function rootPrefix({ asUser }) {
  if (asUser || process.getuid?.() === 0) return [];
  return output('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

async function agreed(command, why) {
  if (!process.stdin.isTTY || !process.stderr.isTTY || !which('sudo')) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const question = `${why} Run \`${command}\`? [Y/n] `;
  // Ctrl-C closes the prompt without an answer.
  const closed = once(prompt, 'close').then(() => 'no');
  const answer = await Promise.race([prompt.question(question), closed]);
  prompt.close();
  return /^\s*(y|yes)?\s*$/i.test(answer);
}

async function runAsRoot(prefix, words) {
  const [command, ...args] = [...prefix, ...words];
  say(`running: ${command} ${args.join(' ')}`);
  return (await run(command, args)) === 0;
}

/**
 * Installs the first of the packages that works; `names` has those of each package manager, and a list among them is
 * installed together. Installs at once
 * as root or if sudo needs no password. Otherwise it asks on a terminal; the question begins with `why`, and
 * without `why` it does not ask. Never installs with SLUICE_INSTALL=0. Returns whether it succeeded.
 */
export async function installPackage(names, why) {
  if (process.env.SLUICE_INSTALL === '0') return false;
  const manager = packageManagers.find(({ name }) => which(name));
  const installs = (names[manager?.name] ?? []).map((name) => [...manager.install, name].flat());
  if (installs.length === 0) return false;
  let prefix = rootPrefix(manager);
  if (!prefix) {
    if (!why || !(await agreed(`sudo ${installs[0].join(' ')}`, why))) return false;
    prefix = ['sudo'];
  }
  // Tries to install even if some list of packages could not be updated.
  if (manager.prepare) await runAsRoot(prefix, manager.prepare);
  for (const words of installs) {
    if (await runAsRoot(prefix, words)) return true;
  }
  return false;
}
