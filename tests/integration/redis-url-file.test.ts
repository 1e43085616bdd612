import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';

/** Rights of the node's user; its password is what changes. */
const RIGHTS = ['~*', '&*', '+@all'];

describe('the file of the URL of Redis', () => {
  let redis: TestRedis;
  let gateway: GatewayProcess;
  let dir: string;
  let file: string;
  const admin = () => redis.client();
  const writeUrl = (password: string) =>
    writeFile(file, `redis://gate:${password}@127.0.0.1:${redis.port}\n`);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-url-'));
    file = join(dir, 'redis-url');
    redis = await startRedis();
    await admin().acl('SETUSER', 'gate', 'on', '>first', ...RIGHTS);
    await writeUrl('first');
    gateway = await startGateway({
      config: {
        redis: { url_file: file, durability: 'memory' },
        agents: { echo: { kind: 'echo' } },
      },
    });
  });
  afterAll(() => rm(dir, { recursive: true }));

  const kill = () => admin().client('KILL', 'USER', 'gate');

  /** A conversation needs every connection: commands, the subscriber, and both of BullMQ. */
  async function converses(text: string) {
    const client = await FrameClient.connect(gateway.wsUrl);
    try {
      await client.hello();
      const final = await client.final(client.message(text));
      expect(final.content).toContain(text);
    } finally {
      await client.close();
    }
  }

  it('X1 is followed: new connections take the password that it holds then', async () => {
    await converses('with the first');
    await admin().acl('SETUSER', 'gate', '>second', '<first');
    expect(await kill()).toBeGreaterThanOrEqual(4);
    // Redis may get the new password first: the node tries in vain until the file has it too.
    await expect(converses('in vain')).rejects.toThrow();
    await writeUrl('second');
    await eventually(() => converses('with the second'), 15_000);
  });

  it('X1 without a usable URL changes nothing, and the log says so without its content', async () => {
    await writeFile(file, 'http://gate:tippfehler@127.0.0.1\n');
    await kill();
    // The file may be read while it is being written, and is empty then.
    const line = await gateway.waitForLog(
      ({ key, fault }) => key === 'redis.url_file' && fault === 'it is no URL that redis.url takes',
    );
    expect(line).toMatchObject({ level: 'error', file });
    await eventually(() => converses('with the last known'), 15_000);
    expect(JSON.stringify(gateway.logs)).not.toContain('tippfehler');
  });
});
