/** WAITAOF of servers that have it, fetched by `npm run test:servers`; without them the tests of each are skipped. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { httpBehaviours, startGateway, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { fetchedServer, type ServerName } from '../support/setup/servers.js';

const rights = readFileSync('docs/operate/security.md', 'utf8').match(/ACL SETUSER sluice (.*)/);

describe.each<ServerName>(['redis-8.0', 'valkey-8.1'])(
  'redis.durability aof on %s, where WAITAOF tells what is on disk',
  (name) => {
    const server = fetchedServer(name);
    const where = server ? it : it.skip;

    where('S1 X6 a user who may not ask what is on disk stops the start with 78', async () => {
      const redis = await startRedis({ server: server ?? '' });
      const given = (rights?.[1] ?? '').replace('>PASSWORD', '>rights-0123456789').split(' ');
      await redis.client().call('ACL', 'SETUSER', 'sluice', ...given, '-waitaof');
      const url = `redis://sluice:rights-0123456789@127.0.0.1:${redis.port}`;
      const config = { redis: { url, durability: 'aof' } };
      await expect(startGateway({ config })).rejects.toMatchObject({
        exit: { code: 78 },
        output: expect.stringMatching(/redis\.durability is aof, but this user may not.*\+waitaof/),
      });
    });

    where(
      'S1 an acknowledgement names it when the disk has the message, and only then',
      async () => {
        const redis = await startRedis({
          server: server ?? '',
          args: ['--appendfsync', 'everysec'],
        });
        const admin = redis.client();
        const given = (rights?.[1] ?? '').replace('>PASSWORD', '>rights-0123456789').split(' ');
        await admin.call('ACL', 'SETUSER', 'sluice', ...given);
        const cluster = await Cluster.open(redis, {
          redis: {
            url: `redis://sluice:rights-0123456789@127.0.0.1:${redis.port}`,
            ...{ prefix: 'sluice', durability: 'aof' },
          },
        });
        try {
          cluster.agent.behave(httpBehaviours.delayMs(0));
          const client = await cluster.attach(await cluster.start(), { session_id: 's' });
          const acknowledged = async (id: string) => {
            client.message('a word', { message_id: id });
            const ack = await client.waitFor({ status: 'accepted', message_id: id });
            return ack.durability;
          };
          // The disk is written once a second: each acknowledgement waits for that.
          for (let i = 0; i < 10; i += 1) expect(await acknowledged(`e${i}`)).toBe('aof');
          expect(await admin.info('commandstats')).toMatch(/^cmdstat_waitaof:calls=\d+/m);

          await admin.config('SET', 'appendfsync', 'no');
          expect(await acknowledged('no')).toBe('memory');
          await admin.config('SET', 'appendfsync', 'always');
          expect(await acknowledged('always')).toBe('aof');
          await admin.config('SET', 'appendonly', 'no');
          expect(await acknowledged('off')).toBe('memory');
          expect(await admin.call('ACL', 'LOG')).toEqual([]);
        } finally {
          await cluster.stop();
        }
      },
      60_000,
    );
  },
);
