import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { makeProgram } from '@sluice/cli';
import { clientFrames } from '@sluice/protocol/json-schema';
import { nameOf, routeTable, shownFields } from '../support/edge/route-table.js';

type Command = ReturnType<typeof makeProgram>;

/** The tables below `## Scope operate` of docs/operate/security.md: the first cell, then the others. */
function tabled(title: string): Map<string, string[]> {
  const text = readFileSync('docs/operate/security.md', 'utf8');
  const below = text.split(`\n### ${title}\n`)[1]?.split('\n#')[0] ?? '';
  const rows = [...below.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)];
  return new Map(
    rows.map(([, name = '', cells = '']) => [name, cells.split('|').map((cell) => cell.trim())]),
  );
}

const ticked = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

describe('X2 what scope `operate` reaches', () => {
  const routes = routeTable();
  const paths = tabled('Paths');

  it('X2 is decided for every path', () => {
    const decided = routes.map((route) => {
      const { operate } = route.doc;
      const word = typeof operate === 'object' ? 'shown' : operate;
      return [nameOf(route), route.access === 'public' ? 'public' : word];
    });
    expect(decided.length).toBeGreaterThan(25);
    expect([...paths].map(([name, [decision]]) => [name, decision]).sort()).toEqual(decided.sort());
  });

  it('X2 shows the fields that the table names, and no field that could hold anything', () => {
    for (const route of routes) {
      if (route.access === 'public' || route.doc.operate === 'refused') continue;
      const { names, open } = shownFields(route);
      const listed = ticked(paths.get(nameOf(route))?.[1]).sort();
      expect({ path: nameOf(route), fields: names, open }).toEqual({
        ...{ path: nameOf(route), fields: listed, open: [] },
      });
    }
  });

  it('X2 shows no field with a text of clients or agents', () => {
    const texts = /^(content|metadata|messages|events|input|reason|error|usage|abort|older|name)$/;
    const reached = routes.filter(({ access, doc }) => {
      return access !== 'public' && doc.operate !== 'refused' && doc.answers[200]?.schema;
    });
    const found = reached
      .filter(({ path }) => path !== '/info')
      .flatMap((route) => shownFields(route).names.filter((name) => texts.test(name)));
    expect(found).toEqual([]);
  });

  it('X2 is decided for every frame of a client', () => {
    const frames = tabled('Frames');
    expect([...frames.keys()].sort()).toEqual(Object.keys(clientFrames).sort());
    for (const [decision] of frames.values()) expect(decision).toMatch(/^(refused|answered)$/);
  });

  it('X2 is decided for every command', () => {
    const pathOf = (command: Command): string =>
      command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
    const commandsOf = (command: Command): string[] => {
      const isGroup = command.commands.length > 0 && command.options.length === 0;
      const own = isGroup || command.parent === null ? [] : [pathOf(command)];
      return [...own, ...command.commands.flatMap(commandsOf)];
    };
    const commands = tabled('Commands');
    const all = commandsOf(makeProgram({ flags: {}, end: () => {} }));
    expect([...commands.keys()].sort()).toEqual(all.sort());
    for (const [decision] of commands.values()) expect(decision).toMatch(/^(yes|no|no gateway)$/);
  });
});
