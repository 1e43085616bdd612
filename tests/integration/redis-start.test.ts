import { beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayFailed, startGateway, startRedis, type TestRedis } from '@sluice/testkit';
import { sluice } from '../support/cluster/sluice.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});

/** Starts a node that cannot start; returns its exit status and its output. */
async function refused(url: string) {
  const failure = await startGateway({ redisUrl: url }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof GatewayFailed)) throw new Error(`it started: ${failure}`);
  return { code: failure.exit?.code, output: failure.output };
}

describe.each([
  ['the keys of the rings', ['~sluice:*', '&sluice:*', '+@all'], /not use the keys of the rings/],
  ['scripts', ['~*', '&*', '+@all', '-@scripting'], /not run scripts that write/],
])('a user of Redis without rights to %s', (_, rights, told) => {
  const url = () => `redis://probe:right-0123@127.0.0.1:${redis.port}`;
  beforeAll(async () => {
    const user = ['reset', 'on', '>right-0123', ...rights];
    await redis.client().call('ACL', 'SETUSER', 'probe', ...user);
  });

  it('C3 cannot start a node: 78, and a sentence says why', async () => {
    const { code, output } = await refused(url());
    expect(output).toMatch(told);
    expect(output).toMatch(/NOPERM: this user may .*; give this user the rights that docs/);
    expect(code).toBe(78);
  });

  it('C3 is found by sluice doctor, in the same words', async () => {
    const { status, stdout } = await sluice(['doctor'], { env: { REDIS_URL: url() } });
    expect(stdout).toMatch(told);
    expect(stdout).toMatch(/FAIL.*this user may not .*give this user the rights/);
    expect(status).toBe(78);
  });
});
