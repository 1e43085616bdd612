import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { documentedLines, undocumentedIn } from '@sluice/testkit';

const rooms = ['apps/cli', 'apps/gateway', 'packages/runtime', 'packages/store'];
const sources = rooms
  .flatMap((room) =>
    readdirSync(join(room, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(room, 'src', name)),
  )
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

describe('docs/reference/logs.md', () => {
  it.each(documentedLines())(
    '$level "$msg" is in the source, with its fields',
    ({ msg, fields }) => {
      // A long message is split in the source: compare only its first words.
      expect(sources).toContain(`'${msg.slice(0, 60)}`);
      for (const field of fields) expect(sources).toMatch(new RegExp(`\\b${field}\\b`));
    },
  );

  it('X6 is held against every line of a gateway', () => {
    const line = {
      level: 'info',
      time: '2026-01-01T00:00:00Z',
      node_id: 'n',
      msg: 'ready',
      port: 1,
    };
    expect(undocumentedIn([line])).toEqual([]);
    expect(
      undocumentedIn([
        { ...line, prot: 1 },
        { ...line, prot: 2 },
      ]),
    ).toEqual(['docs/reference/logs.md: "ready" has no field prot']);
    expect(undocumentedIn([{ ...line, level: 'warn' }])).toEqual([
      'docs/reference/logs.md has no line "warn ready"',
    ]);
    expect(undocumentedIn([{ msg: 'of Node' }])).toEqual([]);
  });
});
