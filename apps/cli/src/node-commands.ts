import type { Command } from 'commander';
import { type CommandLine, exampleOf } from './command/command.js';
import { takesKeys } from './command/config-flags.js';

/** `sluice start`, `doctor` and `token`: commands that read the configuration. */
export function addNodeCommands(program: Command, line: CommandLine): void {
  const { flags } = line;
  const start = takesKeys(program.command('start'))
    .description('run one node in the foreground')
    .option(
      '--agent <agent>',
      'your own agent: a module (./my.mjs), an http:// URL, or a command line',
    )
    .action(async (options: { config?: string; agent?: string }) => {
      const { start } = await import('./start.js');
      line.end(await start({ ...options, flags }));
    });
  exampleOf(start, 'sluice start --config gateway.yaml', 'sluice start --agent ./my.mjs');

  const doctor = takesKeys(program.command('doctor'))
    .description('check configuration, Redis, agents and port; each failure with its remedy')
    .option('--agent <agent>', 'as for start')
    .option('--json', 'one JSON document instead of lines')
    .action(async (options: { config?: string; agent?: string; json?: boolean }) => {
      const { doctor } = await import('./doctor.js');
      line.end(await doctor({ ...options, flags }));
    });
  exampleOf(doctor, 'sluice doctor --config gateway.yaml');

  const token = takesKeys(program.command('token'))
    .description('sign a token (JWT) with gateway.auth.jwt.secret, to try things out')
    .requiredOption('--principal <name>', 'the principal that the token names')
    .option('--ttl <duration>', 'time until it expires', '1h')
    .option('--scopes <list>', 'some of read, write, operate, admin', 'read,write')
    .action(
      async (options: { config?: string; principal: string; ttl: string; scopes: string }) => {
        const { token } = await import('./token.js');
        line.end(await token({ ...options, flags }));
      },
    );
  exampleOf(token, 'sluice token --principal alice --ttl 1h --config gateway.yaml');
}
