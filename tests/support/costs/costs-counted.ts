import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { TestRedis } from '@sluice/testkit';
import { allowed, type Counted } from './costs-allowed.js';

const fields = ['commands', 'calls', 'parse', 'stringify'] as const;
/** What this test itself asks Redis; nothing of Sluice does. */
const own = ['info', 'touch', 'pubsub'];

const forEach = (of: (field: keyof Counted) => number): Counted => ({
  commands: of('commands'),
  calls: of('calls'),
  parse: of('parse'),
  stringify: of('stringify'),
});

/** What one more of something costs, when `more` has that many more than `fewer`. */
export const between = (fewer: Counted, more: Counted, count: number): Counted =>
  forEach((field) => (more[field] - fewer[field]) / count);

/** Counts what Redis does, and a node that was started with `env` in its environment. */
export class CostMeter {
  readonly env: Readonly<Record<string, string>>;
  readonly #socket = join(mkdtempSync(join(tmpdir(), 'sluice-costs-')), 'json');
  readonly #client: ReturnType<TestRedis['client']>;

  constructor(redis: TestRedis) {
    this.#client = redis.client();
    const preload = pathToFileURL(resolve('tests/support/costs/json-counter.mjs')).href;
    this.env = { NODE_OPTIONS: `--import=${preload}`, JSON_COUNTER: this.#socket };
  }

  async #read(): Promise<Counted> {
    const stats = await this.#client.info('commandstats');
    const counts = [...stats.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)].map(
      ([, name = '', calls]) => ({ name, calls: Number(calls) }),
    );
    const sumOf = (isMeant: (name: string) => boolean) =>
      counts.reduce((sum, { name, calls }) => sum + (isMeant(name) ? calls : 0), 0);
    const [parse = 0, stringify = 0] = (await text(connect(this.#socket))).split(' ').map(Number);
    return {
      commands: sumOf((name) => !own.includes(name)),
      calls: sumOf((name) => name.startsWith('evalsha')),
      parse,
      stringify,
    };
  }

  /**
   * What one of those costs of which `act` does some and answers how many: the least of `tries`, field by
   * field, since whatever else a node does only adds. `reset` runs behind each try and is not counted.
   */
  async leastOf(
    tries: number,
    act: () => Promise<number>,
    reset: () => Promise<unknown> = async () => undefined,
  ): Promise<Counted> {
    let least: Counted | undefined;
    for (let i = 0; i < tries; i += 1) {
      const before = await this.#read();
      const count = await act();
      const cost = between(before, await this.#read(), count);
      const known = least ?? cost;
      least = forEach((field) => Math.min(known[field], cost[field]));
      await reset();
    }
    if (!least) throw new Error('at least one try is needed');
    return least;
  }
}

/** What is dearer than it may be, in words; prints all of it. */
export function tooDear(what: keyof typeof allowed, found: Counted): string[] {
  const most = allowed[what];
  const shown = fields.map((field) => `${field} ${found[field].toFixed(2)} of ${most[field]}`);
  process.stdout.write(`one ${what}: ${shown.join(', ')}\n`);
  return fields
    .filter((field) => found[field] > most[field])
    .map((field) => `${what}: ${field} ${found[field].toFixed(2)}, at most ${most[field]}`);
}
