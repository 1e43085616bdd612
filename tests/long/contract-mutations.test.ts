import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { within } from '@sluice/runtime';
import { expectFaultyFrames, type GatewayProcess } from '@sluice/testkit';
import { contractCases } from '../contract/protocol/cases/index.js';
import { startFaulty } from '../contract/protocol/faulty-gateway.js';
import { mutations } from '../contract/protocol/mutations.js';
import { openTarget } from '../contract/protocol/own-target.js';
import type { Target } from '../contract/protocol/target.js';

expectFaultyFrames();

/** `CI=true npm test` has time for every fourth fault; `npm run mutations` tries them all. */
const isAll = process.env.SLUICE_MUTATIONS === 'all';
const seeded = mutations.filter((_, at) => isAll || at % 4 === 0);

/** Cases that run at once; each has its own sessions. */
const atOnce = 12;

/** A case that takes longer has failed too: it waits for something that never comes. */
const caseMs = 8_000;
/** Without liveness: the proxy answers the gateway's pings, so the client is never silent. */
const cases = contractCases.filter(({ title }) => !title.startsWith('liveness'));

/** Titles of failed cases; stops soon after the first. */
async function failures(target: Target): Promise<string[]> {
  const failed: string[] = [];
  const left = [...cases];
  const work = async () => {
    for (let next = left.shift(); next && failed.length === 0; next = left.shift()) {
      const { title, run } = next;
      const passed = run(target).then(
        () => true,
        () => false,
      );
      if (!(await within(passed, caseMs))) failed.push(title);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}

describe('the conformance suite', () => {
  let target: Target;
  let node: GatewayProcess | undefined;
  beforeAll(async () => {
    ({ target, node } = await openTarget());
  });
  afterAll(async () => {
    await node?.kill();
  });

  it('passes behind a proxy that changes nothing', async () => {
    const faulty = await startFaulty(target, { name: 'none' });
    expect(await failures(faulty.target)).toEqual([]);
    await faulty.stop();
  }, 60_000);

  it.each(seeded.map((mutation) => [mutation.name, mutation] as const))(
    'fails when %s',
    async (_name, mutation) => {
      const faulty = await startFaulty(target, mutation);
      const failed = await failures(faulty.target);
      await faulty.stop();
      expect(failed.length).toBeGreaterThan(0);
    },
    60_000,
  );
});
