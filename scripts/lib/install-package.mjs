import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { output, run, which } from './processes.mjs';
import { say } from './say.mjs';

/** In this order; the first one of this machine is used. */
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

/** What goes before a command to run it as root; undefined when that takes a password. */
function rootPrefix({ asUser }) {
  if (asUser || process.getuid?.() === 0) return [];
  return output('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

async function agreed(command, why) {
  if (!process.stdin.isTTY || !process.stderr.isTTY || !which('sudo')) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const question = `${why} Run \`${command}\`? [Y/n] `;
  // Ctrl-C closes the prompt and answers nothing.
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
 * Installs the first package that works with the system's package manager; `names`: what it is called
 * by each of them. At once as root or with a sudo that asks for no password, after a question (which
 * begins with `why`; undefined: nobody is asked) on a terminal, never with SLUICE_INSTALL=0. True when
 * it succeeded.
 */
export async function installPackage(names, why) {
  if (process.env.SLUICE_INSTALL === '0') return false;
  const manager = packageManagers.find(({ name }) => which(name));
  const installs = (names[manager?.name] ?? []).map((name) => [...manager.install, name]);
  if (installs.length === 0) return false;
  let prefix = rootPrefix(manager);
  if (!prefix) {
    if (!why || !(await agreed(`sudo ${installs[0].join(' ')}`, why))) return false;
    prefix = ['sudo'];
  }
  // A failed update of some list is no reason not to try.
  if (manager.prepare) await runAsRoot(prefix, manager.prepare);
  for (const words of installs) {
    if (await runAsRoot(prefix, words)) return true;
  }
  return false;
}
