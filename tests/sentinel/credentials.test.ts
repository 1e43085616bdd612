import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  httpBehaviours,
  startGateway,
  startSentinel,
  type TestSentinel,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { directory } from '../support/edge/config-loaded.js';

/** The lines of docs/operate/security.md. */
const DATA =
  '~sluice:* ~c*:* ~{* &sluice:* &c*:* -@all +@connection +@read +@write +@transaction +@pubsub ' +
  '+@scripting -@dangerous +info +wait +time';
const SENTINEL =
  'resetkeys resetchannels &+switch-master -@all +auth +hello +ping +client|setname ' +
  '+subscribe +sentinel|get-master-addr-by-name';

describe('redis.sentinel with users of its own at both', () => {
  let redis: TestSentinel;
  const dir = directory();
  const file = (name: string) => join(dir, name);
  const give = (clients: TestSentinel['servers'], password: string, rights: string) =>
    Promise.all(
      clients.map(({ direct }) =>
        direct.call('ACL', 'SETUSER', 'node', 'reset', 'on', `>${password}`, ...rights.split(' ')),
      ),
    );
  beforeAll(async () => {
    redis = await startSentinel();
    await give(redis.servers, 'data-one', DATA);
    await Promise.all(
      redis.sentinels.map(({ direct }) =>
        direct.call('ACL', 'SETUSER', 'guard', 'on', '>guard-one', ...SENTINEL.split(' ')),
      ),
    );
    writeFileSync(file('data'), 'data-one\n');
    writeFileSync(file('guard'), 'guard-one\n');
  }, 60_000);
  const sentinel = () => ({
    ...{ username: 'node', password_file: file('data') },
    ...{ sentinel_username: 'guard', sentinel_password_file: file('guard') },
  });

  it('C3 X6 a node runs with them, and after a failover takes the password that the file then has', async () => {
    const cluster = await Cluster.open(redis, { redis: { sentinel: sentinel() } });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 's' });
    await client.final(client.message('before'));
    writeFileSync(file('data'), 'data-two\n');
    await give(redis.servers, 'data-two', DATA);
    await redis.failover();
    await eventually(async () => (await fetch(`${node.url}/ready`)).status === 200, 15_000);
    const after = await cluster.attach(node, { session_id: 't' });
    await after.final(after.message('after'));
    await cluster.stop();
  }, 90_000);

  it.each([
    [{ sentinel_username: 'guard', sentinel_password: 'wrong' }, 'correct sentinel_username'],
    [{ name: 'other' }, 'no sentinel knows a primary of that name; set redis.sentinel.name'],
    [{ nodes: ['127.0.0.1:1'] }, 'start the sentinels, or set redis.sentinel.nodes'],
  ])(
    'a start says what is wrong with %j, and ends with 75',
    async (wrong, text) => {
      const config = { redis: { url: redis.url, sentinel: { ...sentinel(), ...wrong } } };
      if ('sentinel_password' in wrong)
        Reflect.deleteProperty(config.redis.sentinel, 'sentinel_password_file');
      await expect(startGateway({ config })).rejects.toMatchObject({
        exit: { code: 75 },
        output: expect.stringContaining(text),
      });
    },
    30_000,
  );
});
