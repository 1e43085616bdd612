import type { Command } from 'commander';
import { pathOf } from '../command/command.js';

/** What may follow the words of one command: its subcommands, options, and the choices of option values. */
type Node = {
  /** Words after `sluice`: '' or 'sessions list'. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly { readonly flag: string; readonly about: string }[];
  /** Options that take a value, each with its choices; empty: any value, files too. */
  readonly values: readonly { readonly flag: string; readonly choices: readonly string[] }[];
  readonly words: readonly string[];
};

/** Scripts are static: asking `sluice` at each key would cost a process each time. */
export function scriptFor(shell: string, program: Command): string {
  const nodes = nodesOf(program);
  if (shell === 'fish') return fish(nodes);
  return shell === 'zsh' ? `${zshStart}\n${bash(nodes)}` : bash(nodes);
}

function nodesOf(command: Command): Node[] {
  const options = command.createHelp().visibleOptions(command);
  const flagged = options.flatMap((option) => (option.long ? [{ option, flag: option.long }] : []));
  const node: Node = {
    path: pathOf(command).split(' ').slice(1).join(' '),
    commands: command.commands.map((it) => ({ name: it.name(), about: it.description() })),
    options: flagged.map(({ option, flag }) => ({ flag, about: option.description })),
    values: flagged
      .filter(({ option }) => option.required || option.optional)
      .map(({ option, flag }) => ({ flag, choices: option.argChoices ?? [] })),
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [node, ...command.commands.flatMap(nodesOf)];
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The script walks along the line: each name of a command leads one level down. */
function bash(nodes: readonly Node[]): string {
  const takesValue = new Set(nodes.flatMap(({ values }) => values.map(({ flag }) => flag)));
  const cases = nodes.map(({ path, commands, options, words }) => {
    const all = [...commands.map(({ name }) => name), ...words, ...options.map(({ flag }) => flag)];
    return `    ${quoted(path)}) words=${quoted(all.join(' '))} ;;`;
  });
  const known = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  const chosen = nodes.flatMap(({ path, values }) =>
    values
      .filter(({ choices }) => choices.length > 0)
      .map(
        ({ flag, choices }) =>
          `    ${quoted(`${path} ${flag}`)}) words=${quoted(choices.join(' '))} ;;`,
      ),
  );
  return `# Completion of sluice, made by: sluice completions
_sluice() {
  local at word path='' words='' cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case "\${path:+$path }$word" in
      ${known.join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path $prev" in
${chosen.join('\n')}
    *)
  case "$prev" in
    ${[...takesValue].join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case "$path" in
${cases.join('\n')}
  esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _sluice sluice`;
}

const zshStart = 'autoload -Uz bashcompinit && bashcompinit';

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options, values, words }) => {
    const names = commands.map(({ name }) => name);
    const seen = path === '' ? '' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
    const before = path.includes(' ')
      ? `__fish_seen_subcommand_from ${path.split(' ')[0]}; and ${seen}`
      : seen;
    const unless = names.length > 0 ? `not __fish_seen_subcommand_from ${names.join(' ')}` : '';
    const here = [before, unless].filter(Boolean).join('; and ');
    const when = here ? ` -n ${quoted(here)}` : '';
    return [
      ...commands.map(
        ({ name, about }) => `complete -c sluice -f${when} -a ${name} -d ${quoted(about)}`,
      ),
      ...words.map((word) => `complete -c sluice -f${when} -a ${word}`),
      ...options.map(({ flag, about }) => {
        const value = values.find((it) => it.flag === flag);
        const choices = value?.choices.length ? ` -x -a ${quoted(value.choices.join(' '))}` : ' -r';
        return `complete -c sluice${when} -l ${flag.slice(2)}${value ? choices : ''} -d ${quoted(about)}`;
      }),
    ];
  });
  return ['# Completion of sluice, made by: sluice completions fish', ...lines].join('\n');
}
