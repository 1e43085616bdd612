import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually, freePort, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { sluice, startSluice } from '../support/cluster/sluice.js';

// Each command is a new process, which starts slowly on a busy machine.
jest.setTimeout(90_000);

const lostOf = (lines: readonly string[]) =>
  lines.map((line) => Number(JSON.parse(line).lost ?? 0)).reduce((sum, lost) => sum + lost, 0);
const idsOf = (lines: readonly string[]) =>
  lines.flatMap((line) => JSON.parse(line).event_id ?? []);

describe('sluice session-ends', () => {
  let redis: TestRedis;
  let client: ReturnType<TestRedis['client']>;
  let stream: string;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await startRedis();
    client = redis.client();
  });
  beforeEach(async () => {
    prefixes += 1;
    stream = `p${prefixes}:session-end`;
    // As nodes create it when they start.
    await client.xgroup('CREATE', stream, 'ops', '0', 'MKSTREAM');
  });

  const env = () => ({ REDIS_URL: redis.url, SLUICE_REDIS__PREFIX: `p${prefixes}` });
  const run = (...args: string[]) => sluice(['session-ends', ...args], { env: env() });
  async function lines(...args: string[]): Promise<string[]> {
    const { status, stdout } = await run('--json', ...args);
    expect(status).toBe(0);
    return stdout.split('\n').filter(Boolean);
  }
  /** Adds one record per event id, each with `bytes` of content. */
  async function add(ids: readonly string[], bytes = 10) {
    for (const id of ids) {
      const record = JSON.stringify({ v: '1', event_id: id, ts: 1, pad: 'x'.repeat(bytes) });
      await client.xadd(stream, '*', 'event_id', id, 'payload', record);
    }
  }
  const many = (count: number, name = 'e') => Array.from({ length: count }, (_, n) => name + n);
  const pending = async (group = 'ops') => Number((await client.xpending(stream, group))[0]);
  function follow(...args: string[]) {
    const { child, status } = startSluice(
      ['session-ends', '--follow', '--json', '--group', 'ops', ...args],
      { env: env() },
    );
    const seen: string[] = [];
    const stderr = text(child.stderr);
    const read = () => createInterface({ input: child.stdout }).on('line', (l) => seen.push(l));
    return { child, status, seen, stderr, read };
  }

  it('D4 reads all that is kept, acknowledges in a group, and begins after an entry', async () => {
    await add(many(250));
    expect(idsOf(await lines())).toEqual(many(250));
    expect(idsOf(await lines('--group', 'ops'))).toEqual(many(250));
    expect(await pending()).toBe(0);
    expect(await lines('--group', 'ops')).toEqual([]);
    const [[id] = []] = await client
      .xrange(stream, '-', '+', 'COUNT', 200)
      .then((all) => all.slice(-1));
    expect(idsOf(await lines('--since', String(id)))).toEqual(many(250).slice(200));
    expect(await lines('--since', '1h')).toHaveLength(250);
    const consumers = await client.xinfo('CONSUMERS', stream, 'ops');
    expect(consumers).toEqual([]);
    const { stdout } = await run();
    expect(stdout).toMatch(/^TIME +REASON +SESSION +PRINCIPAL +NODE +PENDING /);
  });

  it('D4 killed between reading and acknowledging: another one claims, and nothing is lost', async () => {
    await add(many(100), 20_000);
    const stalled = follow('--consumer', 'first'); // nobody reads its output
    await once(stalled.child.stdout, 'readable'); // it is writing
    stalled.child.kill('SIGKILL');
    await stalled.status;
    expect(await pending()).toBe(100);
    await add(['later']);
    const second = follow('--claim-after', '300ms');
    second.read();
    await eventually(() => idsOf(second.seen).length === 101, 20_000);
    expect(idsOf(second.seen).sort()).toEqual([...many(100), 'later'].sort());
    await eventually(async () => (await pending()) === 0, 5_000);
    second.child.kill('SIGTERM');
    expect(await second.status).toBe(0);
  });

  it('D4 stopped while nobody takes its lines: it ends, and has acknowledged none of them', async () => {
    await add(many(100), 20_000);
    const stalled = follow('--consumer', 'c');
    await once(stalled.child.stdout, 'readable'); // it is writing
    const exited = once(stalled.child, 'exit');
    stalled.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    stalled.child.stdout.resume();
    expect(await pending()).toBe(100);
    // The same consumer gets them again at once.
    expect(idsOf(await lines('--group', 'ops', '--consumer', 'c'))).toEqual(many(100));
    expect(await pending()).toBe(0);
  });

  it('D4 ends when its reader has gone, and what it could not write stays', async () => {
    const bereft = follow();
    await eventually(async () => {
      const [group] = (await client.xinfo('CONSUMERS', stream, 'ops')) as unknown[];
      return group !== undefined;
    }, 20_000);
    bereft.child.stdout.destroy();
    await add(['e1']);
    expect(await bereft.status).toBe(0);
    expect(await pending()).toBe(1);
  });

  it('D4 writes copies of one record once, also across a restart', async () => {
    await add(['a', 'b', 'a', 'b', 'c']);
    expect(idsOf(await lines('--group', 'ops'))).toEqual(['a', 'b', 'c']);
    await add(['b', 'd']);
    expect(idsOf(await lines('--group', 'ops'))).toEqual(['d']);
    expect(await pending()).toBe(0);
    expect(idsOf(await lines())).toEqual(['a', 'b', 'c', 'd']);
  });

  it('D4 B1 counts what was trimmed before it was read, or before it was acknowledged', async () => {
    await add(many(10));
    await client.xtrim(stream, 'MAXLEN', 4);
    const first = await lines('--group', 'ops');
    expect([lostOf(first), idsOf(first)]).toEqual([6, many(10).slice(6)]);
    // Nothing new, nothing lost; from here on the counters of Redis 7.0 are too low.
    expect(await lines('--group', 'ops')).toEqual([]);
    await add(many(5, 'f'));
    await client.xtrim(stream, 'MAXLEN', 3);
    const second = await run('--json', '--group', 'ops');
    expect(second.stderr).toMatch(/^2 records were trimmed before they were read/);
    expect(idsOf(second.stdout.trim().split('\n'))).toEqual(many(5, 'f').slice(2));
    // Delivered to a consumer that died, then trimmed.
    await add(many(3, 'g'));
    await client.xreadgroup('GROUP', 'ops', 'dead', 'STREAMS', stream, '>');
    await client.xtrim(stream, 'MAXLEN', 1);
    const third = await lines('--group', 'ops', '--claim-after', '1ms');
    expect([lostOf(third), idsOf(third)]).toEqual([2, ['g2']]);
    expect(await pending()).toBe(0);
  });

  it('D4 needs no more rights in Redis than its document lists', async () => {
    const page = readFileSync('docs/operate/session-end.md', 'utf8').replaceAll('\n', ' ');
    const [, plain = '', more = ''] =
      /Rights of a reader in Redis: `([^`]+)`, and for a group `([^`]+)`/.exec(page) ?? [];
    await add(['a', 'b']);
    for (const [user, rights, args] of [
      ['reader', plain, []],
      ['consumer', `${plain} ${more}`, ['--group', 'ops']],
    ] as const) {
      const keyed = rights.replace('sluice:session-end', stream).split(/\s+/);
      await client.call('ACL', 'SETUSER', user, 'on', '>reader-0123456789', ...keyed);
      const url = redis.url.replace('//', `//${user}:reader-0123456789@`);
      const { status, stdout, stderr } = await sluice(['session-ends', '--json', ...args], {
        env: { ...env(), REDIS_URL: url },
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(idsOf(stdout.trim().split('\n'))).toEqual(['a', 'b']);
    }
    expect(await client.xinfo('CONSUMERS', stream, 'ops')).toEqual([]);
  });

  it('C3 waits while Redis is away, and goes on', async () => {
    await add(['a']);
    const follower = follow();
    follower.read();
    await eventually(() => idsOf(follower.seen).length === 1, 20_000);
    await redis.shutdown();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await redis.start();
    await add(['b']);
    await eventually(() => idsOf(follower.seen).length === 2, 20_000);
    follower.child.kill('SIGTERM');
    expect(await follower.status).toBe(0);
    expect(idsOf(follower.seen)).toEqual(['a', 'b']);
    expect(await follower.stderr).toMatch(
      /^Redis is away \(.*\); waiting for it\nRedis is back\n$/,
    );
  });

  it('C3 without --follow a Redis that does not answer is worth another try', async () => {
    const url = `redis://:hidden@127.0.0.1:${await freePort()}`;
    const { status, stderr } = await sluice(['session-ends'], { env: { REDIS_URL: url } });
    expect(status).toBe(75);
    expect(stderr).toMatch(/^sluice: Redis at redis:\/\/127\.0\.0\.1.*ECONNREFUSED.*sluice doctor/);
    expect(stderr).not.toContain('hidden');
  });

  it.each([
    [['--consumer', 'c'], /--consumer and --claim-after need --group/],
    [['--since', 'yesterday'], /--since yesterday: give the id of an entry/],
    [['--group', 'g', '--claim-after', '0'], /--claim-after 0: give a duration/],
    [['--group', 'g', '--since', '1h'], /'--since <id>' cannot be used with option '--group/],
  ])('refuses %j', async (args, why) => {
    const { status, stderr } = await run(...args);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(why) });
  });

  it('D4 D9 has the records of a cluster as they are', async () => {
    const cluster = await Cluster.open(redis);
    const node = await cluster.start();
    const session = await cluster.attach(node, { session_id: 's' });
    await fetch(`${node.url}/v1/sessions/s`, { method: 'DELETE' });
    await session.waitFor({ type: 'session_end' });
    await eventually(async () => (await cluster.sessionEnds()).length === 1, 10_000);
    const { stdout } = await sluice(['session-ends', '--json', '--group', 'ops'], {
      env: { REDIS_URL: redis.url, SLUICE_REDIS__PREFIX: cluster.prefix },
    });
    const [entry] = await cluster.sessionEnds();
    expect(stdout).toBe(`${entry?.payload}\n`);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'SESSION_END', session_id: 's' });
    await cluster.stop();
  });
});
