import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { makeProgram } from '@sluice/cli';

type Command = ReturnType<typeof makeProgram>;

/** Each heading of docs/reference/cli.md, with the text below it. */
const sections = new Map(
  readFileSync('docs/reference/cli.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const [title = '', ...lines] = text.split('\n');
      return [title.replaceAll('`', ''), lines.join('\n')] as const;
    }),
);

const tabled = (text: string) =>
  [...text.matchAll(/^\| `(--[^`]+)`/gm)].map(([, flag = '']) => flag);

/** Options of a section, including those of sections that it links to. */
function documented(title: string): string[] {
  const text = sections.get(title) ?? '';
  const shared = ['Gateway options', 'Configuration options'].filter((name) =>
    text.includes(`[${name}](#${name.toLowerCase().replace(' ', '-')})`),
  );
  return [...tabled(text), ...shared.flatMap((name) => tabled(sections.get(name) ?? ''))];
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

/** Every command that can be run; `title` has its arguments, as the heading has them. */
function commandsOf(command: Command): { title: string; command: Command }[] {
  const args = command.registeredArguments.map((it) => ` <${it.name()}>`).join('');
  const isGroup = command.commands.length > 0 && command.options.length === 0;
  const isRoot = command.parent === null;
  const own = isGroup || isRoot ? [] : [{ title: pathOf(command) + args, command }];
  return [...own, ...command.commands.flatMap(commandsOf)];
}

/** As `--help` prints them. */
const helped = (command: Command) =>
  [...command.helpInformation().matchAll(/^ {2}(?:-\w, )?(--[\w-]+(?: <[^>]+>)?)/gm)]
    .map(([, flag = '']) => flag)
    .filter((flag) => flag !== '--help');

describe('docs/reference/cli.md', () => {
  const commands = commandsOf(makeProgram({ flags: {}, end: () => {} }));
  const helpOf = (command: Command) => {
    let text = '';
    command.configureOutput({ writeOut: (part) => (text += part) });
    command.outputHelp();
    return text;
  };

  it('has a section for each command, and for no other', () => {
    expect(commands.length).toBeGreaterThan(20);
    const titles = [...sections.keys()].filter((title) => title.startsWith('sluice '));
    expect(titles).toEqual(commands.map(({ title }) => title));
  });

  it.each(commands.map(({ title, command }) => [title, command] as const))(
    '%s: the options of its help, and an example in both',
    (title, command) => {
      expect(documented(title).sort()).toEqual(helped(command).sort());
      const path = pathOf(command);
      expect(sections.get(title)).toMatch(
        new RegExp(`^ {4}\\$ (echo .* )?${path}\\b.*\\n {4}\\S`, 'm'),
      );
      expect(helpOf(command)).toMatch(/^Examples?:\n {2}\S/m);
    },
  );

  it('has the statuses that the code knows', () => {
    const rows = [...(sections.get('Exit statuses') ?? '').matchAll(/^\| (\d+) \|/gm)];
    expect(rows.map(([, status]) => status)).toEqual(['0', '1', '2', '69', '75', '78']);
  });
});
