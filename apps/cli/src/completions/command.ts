import { Argument, type Command } from 'commander';
import { type CommandLine, exampleOf } from '../command/command.js';
import { writeLines } from '../output/write.js';

/** `sluice completions SHELL` */
export function addCompletions(program: Command, line: CommandLine): void {
  const shell = new Argument('<shell>').choices(['bash', 'zsh', 'fish']);
  const completions = program
    .command('completions')
    .description('print a script that completes commands and options in a shell')
    .addArgument(shell)
    .action(async (name: string) => {
      const { scriptFor } = await import('./script.js');
      await writeLines([scriptFor(name, program)]);
      line.end(0);
    });
  exampleOf(
    completions,
    'source <(sluice completions bash)      # in ~/.bashrc',
    'source <(sluice completions zsh)       # in ~/.zshrc, after compinit',
    'sluice completions fish > ~/.config/fish/completions/sluice.fish',
  );
}
