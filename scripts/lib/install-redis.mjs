import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { output, run, which } from './processes.mjs';
import { say } from './say.mjs';

/** In this order; each has the commands that are tried one after the other until one succeeds. */
const packageManagers = [
  {
    name: 'apt-get',
    prepare: ['apt-get', 'update'],
    installs: [
      ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', 'redis-server'],
    ],
  },
  {
    name: 'dnf',
    installs: [
      ['dnf', 'install', '-y', 'redis'],
      ['dnf', 'install', '-y', 'valkey'],
    ],
  },
  {
    name: 'apk',
    installs: [
      ['apk', 'add', '--no-cache', 'redis'],
      ['apk', 'add', '--no-cache', 'valkey'],
    ],
  },
  { name: 'brew', installs: [['brew', 'install', 'redis']], asUser: true },
  { name: 'pacman', installs: [['pacman', '-Sy', '--noconfirm', 'valkey']] },
];

/** What goes before a command to run it as root; undefined when that takes a password. */
function rootPrefix({ asUser }) {
  if (asUser || process.getuid?.() === 0) return [];
  return output('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

async function agreed(command) {
  if (!process.stdin.isTTY || !process.stderr.isTTY || !which('sudo')) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const question = `Sluice needs a Redis. Run \`${command}\`? [Y/n] `;
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
 * Installs Redis with the system's package manager: at once as root or with a sudo that asks for no
 * password, after a question on a terminal, never with SLUICE_INSTALL=0. True when a command succeeded.
 */
export async function installRedis() {
  if (process.env.SLUICE_INSTALL === '0') return false;
  const manager = packageManagers.find(({ name }) => which(name));
  if (!manager) return false;
  let prefix = rootPrefix(manager);
  if (!prefix) {
    if (!(await agreed(`sudo ${manager.installs[0].join(' ')}`))) return false;
    prefix = ['sudo'];
  }
  // A failed update of some list is no reason not to try.
  if (manager.prepare) await runAsRoot(prefix, manager.prepare);
  for (const words of manager.installs) {
    if (await runAsRoot(prefix, words)) return true;
  }
  return false;
}
