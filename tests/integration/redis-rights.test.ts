import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { eventually, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** The line of docs/operate/security.md by which an operator gives Sluice its rights in Redis. */
function documented(): string[] {
  const text = readFileSync('docs/operate/security.md', 'utf8');
  const line = /ACL SETUSER sluice (.*)/.exec(text)?.[1];
  return line?.replaceAll(/['"]/g, '').split(' ') ?? [];
}

it('X6 the rights that docs/operate/security.md names are enough, and no key of others is in them', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  const rights = documented().map((it) => it.replace('>PASSWORD', '>rights-0123456789'));
  expect(rights.length).toBeGreaterThan(5);
  await admin.call('ACL', 'SETUSER', 'sluice', ...rights);
  const url = `redis://sluice:rights-0123456789@127.0.0.1:${redis.port}`;
  const cluster = await Cluster.open(redis, {
    redis: { url, prefix: 'sluice' },
    gateway: { drain_timeout: '1s', close_spread: '0s' },
    worker: { sweep_interval: '100ms' },
    slow: { retry: { for: '500ms' } },
  });
  try {
    const [one, two] = [await cluster.start(), await cluster.start()];
    const client = await cluster.attach(one, { session_id: 'rights' });
    await client.final(client.message('the first'));
    cluster.agent.behave(httpBehaviours.fail({ status: 500 }));
    const dead = await client.final(client.message('the second'));
    expect(dead.outcome).toMatchObject({ status: 'dead_lettered' });
    cluster.agent.behave(httpBehaviours.hang());
    const third = client.message('the third');
    // Only a running turn is interrupted; of two messages that wait, the interrupting one goes first.
    await eventually(() => cluster.agent.turns.at(-1)?.turn.message_id === third);
    client.message('the fourth', { message_id: 'm4', mode: 'interrupt' });
    await client.final(third);
    expect((await one.stop()).code).toBe(0);
    expect((await fetch(`${two.url}/v1/sessions/rights`, { method: 'DELETE' })).status).toBe(200);
    expect((await two.stop()).code).toBe(0);
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
  } finally {
    await cluster.stop();
  }
  const stranger = redis.client({ username: 'sluice', password: 'rights-0123456789' });
  await expect(stranger.get('of-others')).rejects.toThrow(/NOPERM/);
  await expect(stranger.flushall()).rejects.toThrow(/NOPERM/);
}, 60_000);
