import { expect, it } from '@jest/globals';
import { GatewayFailed, startGateway, startRedis } from '@sluice/testkit';

/** Starts a node that cannot start; returns its exit status and its output. */
async function refused(url: string) {
  const failure = await startGateway({ redisUrl: url }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof GatewayFailed)) throw new Error(`it started: ${failure}`);
  return { code: failure.exit?.code, output: failure.output };
}

it.each([1, 3])(
  'C3 75 when Redis has place for only %i connection(s), in its own words',
  async (place) => {
    const full = await startRedis();
    const admin = full.client();
    await admin.ping();
    await admin.config('SET', 'maxclients', place);
    const { code, output } = await refused(full.url);
    expect(output).toMatch(/ERR max number of clients reached; raise its maxclients/);
    expect(output).not.toMatch(/EPIPE/);
    expect(code).toBe(75);
  },
  20_000,
);
