import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LAYOUT_VERSION, makeKeys, migrate, newProgress } from '@sluice/store';
import { startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { sluice } from '../support/cluster/sluice.js';
import { layoutAt, storedAt } from '../support/migrate/both-ends.js';
import {
  append,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
} from '../support/scripts/scripts-world.js';

const PARTITIONS = 4;
let redis: TestRedis;
let client: Redis;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
});
beforeEach(async () => {
  await client.flushall();
});

/** A data set under prefix `a` with a few sessions; the move goes to prefix `b` of the same Redis. */
async function filled(count = 6) {
  const store = await openTestStore(redis.url, { partitions: PARTITIONS, prefix: 'a' });
  for (let n = 0; n < count; n++) await sessionWith(store, `s${n}`, 'm1');
  return store;
}
const move = (...more: string[]) =>
  sluice(['migrate', '--from', redis.url, '--prefix', 'a', '--to-prefix', 'b', ...more]);
const at = (prefix: string) => ({ client, prefix, partitions: PARTITIONS });

describe('sluice migrate refuses', () => {
  it.each([
    [['migrate'], 2, /--from is missing; give redis:/],
    [['migrate', '--from', 'http://x'], 2, /--from: this is no URL of a Redis/],
    [['migrate', '--from', 'redis://127.0.0.1', '--partitions', '0'], 2, /from 1 to 16384/],
    [['migrate', '--finish', '--dry-run'], 2, /cannot be used with/],
    [['migrate', '--from', 'redis://127.0.0.1:1'], 75, /ECONNREFUSED.*start it/],
  ])('M1 %j: status %i', async (args, status, text) => {
    const ended = await sluice(args);
    expect({ status: ended.status, stderr: ended.stderr }).toEqual({
      status,
      stderr: expect.stringMatching(text),
    });
  });

  it('M1 a source without data, and the source as its own target', async () => {
    expect(await move()).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/there is no data under this prefix/),
    });
    await filled();
    expect(await move('--to-prefix', 'a')).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/is the data of --from/),
    });
    await client.hset('a:layout', 'version', 1);
    expect(await move()).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/has layout 1.*start a node of this release/),
    });
  });

  it('M3 a target with data of its own, and one begun with other partitions', async () => {
    await filled();
    const other = await openTestStore(redis.url, { partitions: PARTITIONS, prefix: 'b' });
    await sessionWith(other, 'theirs', 'm1');
    const before = await storedAt(at('b'));
    expect(await move()).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/is not empty, it has data of its own/),
    });
    expect(await storedAt(at('b'))).toEqual(before);

    await sluice(['migrate', '--from', redis.url, '--prefix', 'a', '--to-prefix', 'c']);
    const otherwise = ['migrate', '--from', redis.url, '--prefix', 'a', '--to-prefix', 'c'];
    expect(await sluice([...otherwise, '--partitions', '9'])).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/was begun with 4 partitions: give --partitions 4/),
    });
  });

  it('M3 a run that another one has overtaken writes nothing more', async () => {
    await filled(300);
    const progress = newProgress();
    const end = { address: { url: redis.url }, stream: 'ends' };
    const moving = migrate({
      from: { ...end, prefix: 'a' },
      to: { ...end, prefix: 'b' },
      ...{ mode: 'copy', waitMs: 0, progress, onNotice: () => {} },
    });
    const ended = moving.then(
      () => 'done',
      (error: Error) => error.message,
    );
    while (progress.copied === 0) await new Promise(setImmediate);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await client.set(makeKeys('b', PARTITIONS).partition(partition).move, 'another');
    }
    expect(await ended).toMatch(/another sluice migrate has taken this move over/);
    expect(progress.copied).toBeLessThan(300);
  });

  it('M1 names a session that nothing can read, and moves the others', async () => {
    const store = await filled();
    await client.del(store.keys.session(idOf(refOf('s1'))).inbox);
    await client.set(store.keys.session(idOf(refOf('s1'))).inbox, 'not a list');
    const { status, stdout, stderr } = await move();
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^copied +5,/m);
    expect(stderr).toMatch(/session \S+\.s1 has a key of another type and stays/);
  });
});

describe('a move by a user with the rights of a node', () => {
  const password = 'rights-of-security-md';
  const documented = /^ {4}ACL SETUSER sluice (.*)$/m.exec(
    readFileSync('docs/operate/security.md', 'utf8'),
  )?.[1];

  it('M1 M2 succeeds, to another database; with fewer it says what is missing', async () => {
    await client.acl('SETUSER', 'sluice', ...rights());
    const store = await openTestStore(redis.url, { partitions: PARTITIONS });
    for (let n = 0; n < 6; n++) await sessionWith(store, `s${n}`, 'm1');
    const url = redis.url.replace('redis://', `redis://sluice:${password}@`);
    const args = ['migrate', '--from', url, '--to', `${url}/1`, '--partitions', '8'];
    expect((await sluice(args)).stdout).toMatch(/^copied +6,/m);
    expect(await sluice([...args, '--finish'])).toMatchObject({ status: 0 });

    await client.acl('SETUSER', 'sluice', '-publish');
    const ended = await sluice([...args, '--verify-only']);
    expect(ended).toMatchObject({ status: 78, stderr: expect.stringMatching(/NOPERM.*publish/) });
    expect(ended.stderr).not.toContain(password);
  });

  const rights = () => (documented ?? '').replace('>PASSWORD', `>${password}`).split(' ');
});

describe('a move that is taken back', () => {
  it('M4 opens everything again, as it was, and the next move goes on', async () => {
    const store = await filled();
    const before = await storedAt(at('a'));
    const layout = await layoutAt(client, 'a');
    // The last pass dies in the middle: the listings are closed, and some sessions.
    const env = { SLUICE_FAILPOINT: 'session-arrive.before:3' };
    const args = ['migrate', '--from', redis.url, '--prefix', 'a', '--to-prefix', 'b', '--finish'];
    expect((await sluice(args, { env })).status).toBe(null);
    await expect(append(store, refOf('s1'), 'late')).rejects.toThrow(/moved to another place/);
    expect(await move()).toMatchObject({ status: 78, stderr: expect.stringMatching(/is closed/) });

    expect((await sluice([...args.slice(0, -1), '--cancel'])).stdout).toMatch(/was taken back/);
    expect(await storedAt(at('a'))).toEqual(before);
    expect(await layoutAt(client, 'a')).toEqual(layout);
    await append(store, refOf('s1'), 'm2');
    expect(await move()).toMatchObject({ status: 0 });
    expect((await move('--finish')).stdout).toMatch(/start nodes with the new/);
    expect(await layoutAt(client, 'b')).toMatchObject({ version: String(LAYOUT_VERSION) });
    expect((await storedAt(at('b'))).size).toBe(6);
    expect((await move('--cancel')).stderr).toMatch(/the move is complete/);
  });
});
