/** The costs of the core, counted and not timed, so that they are the same on a busy machine. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { SESSION_BYTES_MAX } from '../support/costs/costs-allowed.js';
import { between, CostMeter, tooDear } from '../support/costs/costs-counted.js';

const TRIES = 3;
/** Repetitions of each in one try. */
const COUNT = 50;
const PREFIX = 'costs';
/** Longer than the time between two messages in a row, and short enough to wait for. */
const LINGER_MS = 300;

const keys = makeKeys(PREFIX, 64);
const many = <T>(count: number, make: (at: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, at) => make(at)));
const idsOf = (what: string) => Array.from({ length: COUNT }, (_, at) => `${what}-${at}`);

describe('the cost of', () => {
  let redis: TestRedis;
  let client: ReturnType<TestRedis['client']>;
  let meter: CostMeter;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendonly', 'no'] });
    client = redis.client();
    meter = new CostMeter(redis);
    node = await startGateway({
      redisUrl: redis.url,
      env: meter.env,
      config: {
        redis: { prefix: PREFIX },
        lease: { linger: `${LINGER_MS}ms` },
        worker: { sweep_interval: '10s' },
        agents: {
          echo: { kind: 'echo', stream: false },
          tokens: { kind: 'module', path: resolve('tests/support/agents/tokens-agent.mjs') },
        },
      },
    });
  });

  async function attach(sessionId: string, hello: object = {}): Promise<FrameClient> {
    const reader = await FrameClient.connect(node.wsUrl);
    await reader.hello({ session_id: sessionId, since: 0, ...hello });
    return reader;
  }
  const turn = (reader: FrameClient, content = 'hello') => reader.final(reader.message(content));

  /** Whether no node holds any of these sessions. */
  const areFree = (sessionIds: readonly string[]) =>
    eventually(async () => {
      const leases = sessionIds.map((id) => keys.session(sessionKeyId('local', id)).lease);
      return (await client.touch(...leases)) === 0;
    });

  it('a warm turn', async () => {
    const reader = await attach('warm');
    await turn(reader);
    const cost = await meter.leastOf(TRIES, async () => {
      for (let i = 0; i < COUNT; i += 1) await turn(reader);
      return COUNT;
    });
    expect(tooDear('warm turn', cost)).toEqual([]);
  });

  it('a cold turn', async () => {
    const ids = idsOf('cold');
    const readers = await many(COUNT, (at) => attach(ids[at] ?? ''));
    const oneEach = async () => {
      await Promise.all(readers.map((reader) => turn(reader)));
      await areFree(ids);
      return COUNT;
    };
    await oneEach();
    expect(tooDear('cold turn', await meter.leastOf(TRIES, oneEach))).toEqual([]);
  });

  it('a delta', async () => {
    const SESSIONS = 20;
    const DELTAS = 10;
    const GAP_MS = 60; // longer than the time for which deltas are gathered
    const readers = await many(SESSIONS, (at) =>
      attach(`delta-${at}`, { agent_id: 'tokens', capabilities: ['streaming'] }),
    );
    const streamed = (tokens: number) => async () => {
      await Promise.all(readers.map((reader) => turn(reader, `${tokens} ${GAP_MS}`)));
      return SESSIONS;
    };
    await streamed(1)();
    const one = await meter.leastOf(TRIES, streamed(1));
    const more = await meter.leastOf(TRIES, streamed(1 + DELTAS));
    expect(tooDear('delta', between(one, more, DELTAS))).toEqual([]);
  });

  it('an attach', async () => {
    const ids = idsOf('attach');
    let readers = await many(COUNT, (at) => attach(ids[at] ?? ''));
    await Promise.all(readers.map((reader) => turn(reader)));
    const leave = async () => {
      for (const reader of readers) reader.cut();
      const channels = `${PREFIX}:*:s:*attach-*`;
      await eventually(async () => {
        const open = await client.pubsub('CHANNELS', channels);
        return Array.isArray(open) && open.length === 0;
      });
      await areFree(ids);
    };
    await leave();
    const attachAll = async () => {
      readers = await many(COUNT, (at) => attach(ids[at] ?? ''));
      await Promise.all(readers.map((reader) => reader.collect(2, { type: 'replay' })));
      return COUNT;
    };
    expect(tooDear('attach', await meter.leastOf(TRIES, attachAll, leave))).toEqual([]);
  });

  it('keeping an idle session of 20 messages', async () => {
    const SESSIONS = 50;
    const MESSAGES = 20;
    const bytes = async () => {
      const names = await client.keys(`${PREFIX}:*`);
      const sizes = await Promise.all(names.map((it) => client.memory('USAGE', it, 'SAMPLES', 0)));
      return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    };
    const before = await bytes();
    const ids = Array.from({ length: SESSIONS }, () => randomUUID());
    await many(SESSIONS, async (at) => {
      const reader = await attach(ids[at] ?? '');
      for (let i = 0; i < MESSAGES; i += 1) {
        const messageId = reader.message('x'.repeat(48), { message_id: randomUUID() });
        await reader.final(messageId);
      }
      reader.cut();
    });
    await areFree(ids);
    const each = Math.round(((await bytes()) - before) / SESSIONS);
    process.stdout.write(`an idle session of ${MESSAGES} messages: ${each} bytes of Redis\n`);
    expect(each).toBeLessThanOrEqual(SESSION_BYTES_MAX);
  });

  it('a renewal of an idle lease', async () => {
    const SESSIONS = 300;
    const own = await startRedis({ args: ['--appendonly', 'no'] });
    const counted = new CostMeter(own);
    const idle = await startGateway({
      redisUrl: own.url,
      env: counted.env,
      config: {
        redis: { prefix: PREFIX, partitions: 4 },
        lease: { ttl: '3s' },
        agents: { echo: { kind: 'echo', stream: false } },
      },
    });
    await many(SESSIONS, async (at) => {
      const reader = await FrameClient.connect(idle.wsUrl);
      await reader.hello({ session_id: `idle-${at}` });
      await turn(reader);
      reader.cut();
    });
    const stats = own.client();
    const renewals = async () => {
      const text = await stats.info('commandstats');
      return Number(/cmdstat_pexpire:calls=(\d+)/.exec(text)?.[1] ?? 0);
    };
    const cost = await counted.leastOf(TRIES, async () => {
      const before = await renewals();
      await eventually(async () => (await renewals()) >= before + 2 * SESSIONS);
      return (await renewals()) - before;
    });
    expect(tooDear('idle renewal', cost)).toEqual([]);
  });
});
