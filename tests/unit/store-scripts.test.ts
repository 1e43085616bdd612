import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as ofMoves from '../../packages/store/dist/migrate/scripts-migrate.js';
import * as scripts from '../../packages/store/dist/script/scripts.js';

const folder = new URL('../../packages/store/scripts/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));
const textOf = (file: string) => readFileSync(new URL(file, folder), 'utf8');
const all = Object.values(scripts);
const underLease = all.filter(({ args }) => args.some((name) => name === 'token'));

const writing = /redis\.call\('(HSET|HDEL|HINCRBY|ZADD|ZREM|RPUSH|LPOP|XADD|DEL|PUBLISH)/;
/** The text before the first statement that changes something. */
const untilWrite = (source: string) => source.slice(0, source.search(writing));

describe('the scripts', () => {
  it('are each declared once, under the name of their file', () => {
    const { migrateCalls: _, ...moving } = ofMoves; // no node calls these
    const declared = [...all, ...Object.values(moving)];
    expect(declared.map(({ name }) => `${name}.lua`).sort()).toEqual([...files].sort());
  });

  it('L3 every script that presents a lease is listed', () => {
    expect(underLease.map(({ name }) => name).sort()).toEqual([
      'events-append',
      'lease-renew',
      'turn-begin',
      'turn-commit',
      'turn-release',
      'turn-retry',
    ]);
  });

  it('L3 those for many leases check each of them in the same way, in a call of its own', () => {
    const ofMany = all.filter(({ args }) => args.some((name) => name === 'leases'));
    expect(ofMany.map(({ name }) => name).sort()).toEqual(['leases-release', 'leases-renew']);
    for (const { source } of ofMany) {
      const [before = '', after = ''] = source.split(textOf('include/fence.lua').trimEnd());
      expect(before).toContain(
        "\nlocal function look(id, token, fence)\n  local read = redis.call('HMGET'",
      );
      expect(after).toContain('\n  if fenced then return {');
      expect(after).toContain('local done, answer = pcall(look, id, entry[2], entry[3])');
    }
  });

  it.each(underLease.filter(({ name }) => name !== 'turn-begin').map((s) => [s.name, s] as const))(
    'L3 %s begins with the same fence check and refuses before it writes',
    (_name, { source, keys, args }) => {
      const [keyLine, argLine] = source.split('\n');
      expect(keyLine).toContain(`local ${keys.join(', ')} = KEYS[1]`);
      expect(argLine).toContain(`local ${args.join(', ')} = ARGV[1]`);
      const [record = '', code = ''] = source.split(textOf('include/fence.lua').trimEnd());
      expect(record).toMatch(/^local s = \{ .*fence = false.*token = false/m);
      expect(record).toContain("\nlocal v = redis.call('HGETALL', state)\n");
      expect(record.split('-- RULES:')[1]).toMatch(/^[^\n]*\n$/); // nothing comes before it
      expect(untilWrite(code)).toContain('\nif fenced then return {');
    },
  );

  it('L3 the fence check compares both, for equality', () => {
    const check = textOf('include/fence.lua');
    expect(check).toMatch(/\nlocal fenced = s\.token ~= token or s\.fence ~= fence\n$/);
  });

  it('L6 take no time from a node: the only clock is that of Redis', () => {
    for (const file of files) {
      const text = textOf(file);
      if (/\bnow\b/.test(text))
        expect([file, text]).toEqual([file, expect.stringContaining('--@include clock')]);
    }
    expect(textOf('include/clock.lua')).toContain("redis.call('TIME')");
    const names = new Set(all.flatMap(({ args }): readonly string[] => args));
    names.delete('created_at'); // drawn by Redis, and only sent back
    const timely = /^(now|time|clock|until|deadline|at|ts|ms)$/;
    expect([...names].filter((name) => name.split('_').some((word) => timely.test(word)))).toEqual(
      [],
    );
  });
});
