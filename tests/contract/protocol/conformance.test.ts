import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { GatewayProcess } from '@sluice/testkit';
import { contractCases } from './cases/index.js';
import { openTarget } from './own-target.js';
import type { Target } from './target.js';

/** Most of a case is waiting, and each has sessions of its own: this many run at once. */
const atOnce = 6;

/** Starts every case, in order; answers how each of them ends. */
function startAll(target: Target): Promise<void>[] {
  const ends: Promise<void>[] = [];
  for (const { run } of contractCases) {
    const before = ends.at(-atOnce) ?? Promise.resolve();
    const end = before.catch(() => undefined).then(() => run(target));
    end.catch(() => undefined); // its own test tells it, and may come to it later
    ends.push(end);
  }
  return ends;
}

describe('the protocol', () => {
  let node: GatewayProcess | undefined;
  let ends: Promise<void>[];
  beforeAll(async () => {
    const opened = await openTarget();
    node = opened.node;
    ends = startAll(opened.target);
  });
  afterAll(async () => {
    await node?.kill();
  });

  it.each(contractCases.map(({ title }, at) => [title, at] as const))(
    '%s',
    (_title, at) => ends[at],
  );
});
