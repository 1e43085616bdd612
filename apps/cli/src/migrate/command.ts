import { type Command, Option } from 'commander';
import { type CommandLine, exampleOf } from '../command/command.js';
import type { MigrateFlags } from './migrate.js';

const passesHelp = `
1. While nodes run at --from, run it as often as you like: each pass copies what has changed since the last.
2. Drain all nodes, then run it with --finish: it closes the old data, copies the rest and opens the new data.
3. Start nodes with the new redis.url, redis.prefix and redis.partitions.
A run that was ended is repeated. docs/operate/operations.md has all steps.`;

/** `sluice migrate` */
export function addMigrate(program: Command, line: CommandLine): void {
  const only = (flag: string, about: string, others: readonly string[]) =>
    new Option(flag, about).conflicts([...others]);
  const migrate = program
    .command('migrate')
    .description('move all data to another Redis, prefix or number of partitions')
    .option('--from <url>', 'the Redis that has the data (default: SLUICE_MIGRATE_FROM)')
    .option(
      '--to <url>',
      'the Redis that gets it (default: SLUICE_MIGRATE_TO, else that of --from)',
    )
    .option('--prefix <prefix>', 'redis.prefix of the data', 'sluice')
    .option('--to-prefix <prefix>', 'its redis.prefix afterwards (default: the same)')
    .option('--partitions <count>', 'its redis.partitions afterwards (default: as many as before)')
    .option('--stream <key>', 'session_end.stream (default: <prefix>:session-end)')
    .option('--to-stream <key>', 'session_end.stream afterwards (default: <to-prefix>:session-end)')
    .addOption(
      only('--finish', 'the last pass: no node may run', ['cancel', 'dryRun', 'verifyOnly']),
    )
    .addOption(
      only('--cancel', 'open the old data again after a --finish that failed', [
        'dryRun',
        'verifyOnly',
      ]),
    )
    .addOption(only('--dry-run', 'count what would be copied, and write nothing', ['verifyOnly']))
    .option('--verify-only', 'compare every byte of both, and write nothing')
    .option('--wait <duration>', 'with --finish: how long to wait for leases of dead nodes', '60s')
    .addHelpText('after', passesHelp)
    .action(async (options: MigrateFlags) => {
      const { runMigrate } = await import('./migrate.js');
      line.end(await runMigrate(options));
    });
  exampleOf(
    migrate,
    'sluice migrate --from redis://old:6379 --to redis://new:6379 --partitions 256',
    'sluice migrate --from redis://old:6379 --to redis://new:6379 --partitions 256 --finish',
  );
}
