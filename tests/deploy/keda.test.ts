import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { eventually, FrameClient, startGateway, startRedis } from '@sluice/testkit';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const scaled = z.object({
  spec: z.object({
    triggers: z.array(z.object({ type: z.string(), metadata: z.record(z.string(), z.string()) })),
  }),
});

/** The list whose length KEDA scales by. */
function scaledList(): string {
  const text = readFileSync('k8s/components/hpa-keda/scaled-object.yaml', 'utf8');
  const [first] = parseAllDocuments(text);
  const { triggers } = scaled.parse(first?.toJS()).spec;
  return triggers.find(({ type }) => type === 'redis')?.metadata.listName ?? '';
}

describe('k8s/components/hpa-keda', () => {
  it('T8 scales by a list that is as long as sessions wait for a slot', async () => {
    const redis = await startRedis();
    const gateway = await startGateway({
      redisUrl: redis.url,
      config: {
        worker: { concurrency: 1 },
        lease: { linger: 0 },
        agents: { echo: { kind: 'echo', delay_ms: 1_000 } },
      },
    });
    const client = redis.client();
    const waiting = () => client.llen(scaledList());
    expect(await waiting()).toBe(0);
    for (const session of ['one', 'two', 'three']) {
      const sender = await FrameClient.connect(gateway.wsUrl);
      await sender.hello({ session_id: session });
      sender.message('hello');
    }
    await eventually(async () => (await waiting()) >= 1, 20_000);
    await eventually(async () => (await waiting()) === 0, 30_000);
    await gateway.kill();
  }, 90_000);
});
