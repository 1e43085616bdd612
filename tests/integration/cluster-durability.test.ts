import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  type ClusterNode,
  eventually,
  FrameClient,
  type GatewayProcess,
  startGateway,
  startRedisCluster,
  type TestCluster,
} from '@sluice/testkit';

const SESSION = 's';
const keys = makeKeys('sluice', 64);
const stateKey = keys.session(sessionKeyId('local', SESSION)).state;

describe('redis.durability replica on a Redis Cluster', () => {
  let redis: TestCluster;
  let node: GatewayProcess;
  let client: FrameClient;
  let sent = 0;

  beforeAll(async () => {
    redis = await startRedisCluster({ masters: 3, replicas: 1 });
    node = await startGateway({
      config: { redis: { durability: 'replica', cluster: { nodes: redis.urls } } },
    });
    client = await FrameClient.connect(node.wsUrl);
    await client.hello({ session_id: SESSION, since: 0 });
  }, 60_000);
  afterAll(() => node.stop());

  /** What an acknowledgement names now; a message that is refused meanwhile is sent again. */
  async function named(): Promise<unknown> {
    sent += 1;
    const message_id = `m${sent}`;
    return await eventually(async () => {
      client.message('hello', { message_id });
      const answer = await client.next((frame) => frame.message_id === message_id);
      return answer.status === 'accepted' && String(answer.durability);
    }, 15_000);
  }

  const isReplica = async ({ direct }: ClusterNode) =>
    /^role:slave/m.test(await direct.info('replication')) &&
    /^master_link_status:up/m.test(await direct.info('replication'));

  it('S1 is named again when a master that was promoted alone has a replica', async () => {
    expect(await named()).toBe('replica');
    const lost = await redis.masterOf(stateKey);
    await lost.stop('SIGKILL');
    await redis.settled();
    expect(await named()).toBe('memory');
    await lost.start();
    await eventually(() => isReplica(lost), 20_000);
    await eventually(async () => (await named()) === 'replica', 20_000);
  }, 90_000);

  it('C3 a server that serves no slot any more is left by every connection of its own', async () => {
    const before = await redis.masterOf(stateKey);
    const names = async () => {
      const listed = String(await before.direct.client('LIST'));
      return [...listed.matchAll(/ name=sluice:[^: ]+:(\S+)/g)].map(([, part]) => part);
    };
    expect(await names()).toEqual(
      expect.arrayContaining(['commands', 'bulk', 'subscriber', 'durability']),
    );
    const next = await followerOf(before);
    await redis.failover(next);
    await redis.settled();
    const own = /^(commands|bulk|subscriber|durability)$/;
    await eventually(
      async () => (await names()).filter((part) => own.test(String(part))).length === 0,
      20_000,
    );
    await eventually(async () => (await named()) === 'replica', 20_000);
  }, 90_000);

  /** The server that replicates this master now. */
  async function followerOf(master: ClusterNode): Promise<ClusterNode> {
    for (const node of redis.nodes) {
      const info = await node.direct.info('replication');
      if (new RegExp(`^master_port:${master.port}\\r?$`, 'm').test(info)) return node;
    }
    throw new Error('no server replicates this master');
  }
});
