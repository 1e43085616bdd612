import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis, stopLater } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { crc16 } from '../../packages/store/dist/keys/keys.js';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { scriptCalls } from '../support/scripts/scripts-calls.js';
import { openTestStore } from '../support/scripts/scripts-world.js';

const bySha = new Map(Object.values(scripts).map((script) => [script.sha, script] as const));
const DAY_MS = 86_400_000;

/** One call of a script as Redis saw it, with the commands that it ran. */
type Seen = { name: string; keys: string[]; args: Record<string, string>; ran: string[][] };

function slotOf(name: string): number {
  const tag = /\{([^}]+)\}/.exec(name)?.[1];
  return crc16(tag ?? name) % 16_384;
}

describe('what a script touches', () => {
  let client: Redis;
  let monitor: Redis;
  let store: Store;
  let lines: { args: string[]; fromScript: boolean }[] = [];

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    await client.ping();
    // Before the store connects: ioredis takes a line that comes together with MONITOR's OK for a reply.
    monitor = await client.monitor();
    stopLater(async () => monitor.disconnect());
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      lines.push({ args, fromScript: source === 'lua' });
    });
    store = await openTestStore(redis.url, { partitions: 64 });
  });
  beforeEach(async () => {
    await client.flushall();
    lines = [];
  });

  /** Every call of a script up to now, in order. */
  async function seen(): Promise<Seen[]> {
    const mark = `mark-${Math.random()}`;
    const marked = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, args: string[]) => {
        if (args[1] === mark) resolve();
      });
    });
    await client.echo(mark);
    await marked;
    const calls: Seen[] = [];
    for (const { args, fromScript } of lines) {
      const [command = '', sha = '', count = '0', ...rest] = args;
      const script = /^evalsha/i.test(command) ? bySha.get(sha) : undefined;
      if (fromScript) calls.at(-1)?.ran.push(args);
      else if (script) {
        const values = rest.slice(Number(count));
        const named = script.args.map((name, i) => [name, values[i] ?? ''] as const);
        const keys = rest.slice(0, Number(count));
        calls.push({ name: script.name, keys, args: Object.fromEntries(named), ran: [] });
      } else if (/^(eval|evalsha)$/i.test(command)) {
        calls.push({ name: 'another', keys: [], args: {}, ran: [] }); // Redlock's and BullMQ's
      }
    }
    return calls.filter(({ name }) => name !== 'another');
  }

  const cases = scriptCalls.map((call) => [call.script, call.when, call] as const);

  it.each(cases)('%s stays in the slot of its first key: %s', async (script, _when, call) => {
    await (await call.prepare(store, client))();
    // Without commands: Redis did not have the script yet, and was then sent it.
    const calls = (await seen()).filter(({ ran }) => ran.length > 0);
    expect(calls.map(({ name }) => name)).toContain(script);
    for (const { name, keys, args, ran } of calls) {
      const [first = ''] = keys;
      const named = [...keys, ...Object.values(args), ...ran.flat()].filter((text) =>
        text.startsWith('sluice:'),
      );
      expect([name, ...new Set(named.map(slotOf))]).toEqual([name, slotOf(first)]);
    }
  });

  it.each(cases)('L6 %s gets no time from the node: %s', async (_script, _when, call) => {
    await (await call.prepare(store, client))();
    // Numbers that Redis itself drew, and that nodes only send back: fences, epochs, its own records.
    const drawnByRedis = new Set(['fence', 'known_epoch', 'record', 'created_at']);
    const isTime = (text: string) =>
      [1_000, 1, 0.001].some((unit) => Math.abs(Number(text) * unit - Date.now()) < DAY_MS);
    const timely = (await seen()).flatMap(({ name, args }) =>
      Object.entries(args)
        .filter(([arg, value]) => !drawnByRedis.has(arg) && isTime(value))
        .map(([arg]) => `${name} ${arg}`),
    );
    expect(timely).toEqual([]);
  });

  it.each(['session-read', 'session-describe', 'pending-measure'])(
    'E7 %s runs as one that may not write',
    async (name) => {
      const read = scriptCalls.filter(({ script }) => script === name);
      for (const call of read) await (await call.prepare(store, client))();
      await seen(); // until here
      const commands = lines.filter(({ args }) => bySha.get(args[1] ?? '')?.name === name);
      const verbs = commands.map(({ args }) => args[0]?.toUpperCase());
      expect([...new Set(verbs)]).toEqual(['EVALSHA_RO']);
    },
  );
});
