import { readFileSync } from 'node:fs';
import { StartError } from '@sluice/runtime';
import { Command } from 'commander';
import { splitKeys } from './config-flags.js';
import { explainNativeLibrary } from './native-library.js';

const configHelp = `
Every key of docs/configuration.md is an option too: --gateway.port 9000 --lease.ttl 5s
or an environment variable: SLUICE_GATEWAY__PORT=9000`;

const defaultUrl = 'http://127.0.0.1:8765';

/** Runs the `sluice` command and ends the process with its status. */
export async function main(argv: readonly string[]): Promise<void> {
  // `sluice sessions | head` closes our stdout: not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    process.exit(await run(argv));
  } catch (caught) {
    const error = explainNativeLibrary(caught);
    if (!(error instanceof StartError)) throw error;
    const [first = '', ...others] = error.message.split('\n');
    const many = `sluice: ${others.length + 1} faults in the configuration`;
    const lines = others.length > 0 ? [many, ...[first, ...others].map((l) => `  ${l}`)] : [first];
    console.error(others.length > 0 ? lines.join('\n') : `sluice: ${first}`);
    process.exit(error.status);
  }
}

/** Parses the command line and runs one command; each is loaded when it is called. */
async function run(argv: readonly string[]): Promise<number> {
  const { rest, flags } = splitKeys(argv.slice(2));
  let status = 0;
  const program = new Command('sluice')
    .description('A WebSocket gateway cluster for AI-agent sessions, on Redis')
    .version(version())
    .showHelpAfterError('(sluice --help lists the commands)');

  program
    .command('start')
    .description('run one node in the foreground')
    .option('--config <file>', 'gateway.yaml')
    .option('--agent <agent>', 'your own agent: a module (./my.mjs) or an http:// URL')
    .addHelpText('after', configHelp)
    .action(async (options: { config?: string; agent?: string }) => {
      const { start } = await import('./start.js');
      status = await start({ ...options, flags });
    });

  program
    .command('doctor')
    .description('check configuration, Redis, agents and port; each failure with its remedy')
    .option('--config <file>', 'gateway.yaml')
    .option('--agent <agent>', 'as for start')
    .option('--json', 'one JSON document instead of lines', false)
    .addHelpText('after', configHelp)
    .action(async (options: { config?: string; agent?: string; json: boolean }) => {
      const { doctor } = await import('./doctor.js');
      status = await doctor({ ...options, flags });
    });

  program
    .command('token')
    .description('sign a token (JWT) with gateway.auth.jwt.secret, for trying out')
    .requiredOption('--principal <name>', 'who that is')
    .option('--ttl <duration>', 'until it expires', '1h')
    .option('--scopes <list>', 'some of read, write, admin', 'read,write')
    .option('--config <file>', 'gateway.yaml')
    .addHelpText('after', configHelp)
    .action(
      async (options: { config?: string; principal: string; ttl: string; scopes: string }) => {
        const { token } = await import('./token.js');
        status = await token({ ...options, flags });
      },
    );

  program
    .command('chat')
    .description('talk to a session in the terminal; lines from a pipe work too')
    .option('--url <url>', 'the gateway (SLUICE_URL)', process.env.SLUICE_URL || defaultUrl)
    .option('--agent <id>', 'which agent (default: the first one of the gateway)')
    .option('--session <id>', 'continue this session')
    .option('--token <token>', 'credentials (SLUICE_TOKEN)')
    .addHelpText('after', '\nIn the chat: /stop aborts the running turn, /quit leaves.')
    .action(async (options: { url: string; agent?: string; session?: string; token?: string }) => {
      refuseKeys(program, flags);
      const { chat } = await import('./chat/chat.js');
      status = await chat({ ...options, token: options.token ?? process.env.SLUICE_TOKEN });
    });

  await program.parseAsync(rest, { from: 'user' });
  return status;
}

function refuseKeys(program: Command, flags: Readonly<Record<string, string>>): void {
  const [first] = Object.keys(flags);
  if (first !== undefined) program.error(`error: unknown option '--${first}'`);
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}
