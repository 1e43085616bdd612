import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { GatewayProcess } from '@sluice/testkit';
import { contractCases } from './cases/index.js';
import { openTarget } from './own-target.js';
import type { Target } from './target.js';

describe('the protocol', () => {
  let target: Target;
  let node: GatewayProcess | undefined;
  beforeAll(async () => {
    ({ target, node } = await openTarget());
  });
  afterAll(async () => {
    await node?.kill();
  });

  it.each(contractCases.map((one) => [one.title, one] as const))('%s', async (_title, { run }) =>
    run(target),
  );
});
