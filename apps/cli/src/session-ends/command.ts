import { type Command, Option } from 'commander';
import { type CommandLine, exampleOf } from '../command/command.js';
import { takesKeys } from '../command/config-flags.js';
import type { SessionEndsOptions } from './session-ends.js';

const stdoutHelp = `
With --json each line of stdout is one record as it stands in the stream, and {"type":"SESSION_END_LOST","lost":3}
when entries were trimmed before they were read. Notices go to stderr. With --group an entry is acknowledged
after its line was written; otherwise it comes again. docs/operate/session-end.md says what that promises.`;

/** `sluice session-ends` */
export function addSessionEnds(program: Command, line: CommandLine): void {
  const ends = takesKeys(program.command('session-ends'))
    .description('the ends of sessions (SESSION_END), oldest first, read from the stream in Redis')
    .option('--follow', 'go on with new records, until the command is stopped')
    .option('--group <name>', 'read as a consumer of this group and acknowledge')
    .option('--consumer <name>', 'name within the group (default: host name and process id)')
    .option(
      '--claim-after <duration>',
      'take over records that other consumers have not acknowledged for this long (default: 60s)',
    )
    .addOption(
      new Option(
        '--since <id>',
        'without a group: after this entry, or from this long ago (10m)',
      ).conflicts(['group', 'consumer', 'claimAfter']),
    )
    .option('--json', 'one JSON object per line')
    .addHelpText('after', stdoutHelp)
    .action(async (options: Omit<SessionEndsOptions, 'flags'>) => {
      const { sessionEnds } = await import('./session-ends.js');
      line.end(await sessionEnds({ ...options, flags: line.flags }));
    });
  exampleOf(
    ends,
    'sluice session-ends --since 1h --config gateway.yaml',
    'sluice session-ends --follow --group ops --json --config gateway.yaml | vector',
  );
}
