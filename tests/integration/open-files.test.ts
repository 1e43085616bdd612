import { connect, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { eventually, FrameClient, startGateway, startRedis } from '@sluice/testkit';
import { processorOf } from '../hostile/watch.js';

const FULL = 'no more connections for now: the open files are at their limit';

describe('a node whose open files run out', () => {
  it('B1 keeps its sockets, does not spin, says so once, and takes others as soon as some leave', async () => {
    const redis = await startRedis();
    const node = await startGateway({
      redisUrl: redis.url,
      openFiles: 200,
      config: { gateway: { admin_port: 0 } },
    });
    const { admin_port } = await node.waitForLog(({ msg }) => msg === 'ready');
    const client = await FrameClient.connect(node.wsUrl);
    await client.hello({ session_id: 'kept' });
    const silent: Socket[] = [];
    for (let at = 0; at < 300; at += 1) {
      const socket = connect(node.port, '127.0.0.1');
      socket.on('error', () => undefined);
      silent.push(socket);
    }
    await node.waitForLog(({ msg }) => msg === FULL);
    expect((await fetch(`http://127.0.0.1:${admin_port}/live`)).status).toBe(200);
    const before = processorOf(node.pid);
    await client.final(client.message('one more'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(processorOf(node.pid) - before).toBeLessThan(0.4);
    for (const socket of silent) socket.destroy();
    await eventually(async () => (await fetch(`${node.url}/live`)).ok, 5_000);
    await node.waitForLog(({ msg }) => msg === 'connections are taken again');
    await client.final(client.message('and another'));
    expect(node.logs.filter(({ msg }) => msg === FULL)).toHaveLength(1);
    client.cut();
    await node.stop();
    await redis.stop();
  });
});
